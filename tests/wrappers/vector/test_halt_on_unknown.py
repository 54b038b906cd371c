from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import check_vector_env
from offline_envs.errors import SettingsError
from offline_envs.wrappers import HaltOnUnknown as SingleHalt
from offline_envs.wrappers.vector import HaltOnUnknown, UncertaintyPenalty
from tests.toy import right_of_six, toy_options
from tests.wrappers.test_halt_on_unknown import GUARD, WHOLE, Counting
from tests.wrappers.test_uncertainty_penalty import random_ensemble
from tests.wrappers.vector.test_uncertainty_penalty import MODES, assert_same, play

N = 4
RULE = {"quantile": 0.6}
RESTARTING = [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP]


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_pessimistic_environment_is_the_learned_one_and_the_wrapper(mode: str, output: str) -> None:
    options = toy_options(model=random_ensemble(), autoreset_mode=mode, output=output, step_infos=True)
    options["termination"] = right_of_six
    inside: Any = gym.make_vec("PessimisticModel-v0", num_envs=N, threshold=RULE, **options)
    plain = gym.make_vec("LearnedModel-v0", num_envs=N, **{**options, **WHOLE})
    outside = HaltOnUnknown(plain, RULE, step_infos=True)
    assert_same(play(inside, 30), play(outside, 30))
    assert outside.halt_counter.n_halted == inside.unwrapped.monitor.n_halted > 0
    for name in ("n_steps", "n_episodes"):
        assert getattr(outside.halt_counter, name) == getattr(inside.unwrapped.monitor, name)


@pytest.mark.parametrize("mode", MODES)
def test_truncating_environment_is_the_learned_one_and_the_wrapper(mode: str) -> None:
    cut: Any = {"on_unknown": "truncate", "disagreement": "std"}
    options = toy_options(model=random_ensemble(), autoreset_mode=mode, step_infos=True)
    options["termination"] = right_of_six
    inside: Any = gym.make_vec("PessimisticModel-v0", num_envs=N, threshold=RULE, **cut, **options)
    plain = gym.make_vec("LearnedModel-v0", num_envs=N, **{**options, **WHOLE})
    outside = HaltOnUnknown(plain, RULE, step_infos=True, **cut)
    course = play(outside, 30)
    assert_same(play(inside, 30), course)
    assert outside.halt_counter.n_halted == inside.unwrapped.monitor.n_halted > 0
    assert any(any(step[3]) for step in course if len(step) == 5)


@pytest.mark.parametrize("mode", MODES)
def test_penalty_and_halt_give_the_same_in_every_order(mode: str) -> None:
    options = toy_options(model=random_ensemble(), autoreset_mode=mode, step_infos=True, **WHOLE)
    penalty: Any = {"penalty_coef": 0.7, "penalty": "max_disagreement"}

    def penalise(envs: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
        return UncertaintyPenalty(envs, step_infos=True, **penalty)

    def halt(envs: VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
        return HaltOnUnknown(envs, RULE, step_infos=True)

    def make(name: str, **changes: Any) -> VectorEnv[Any, Any, Any]:
        return gym.make_vec(name, num_envs=N, **options, **changes)

    first = play(halt(penalise(make("LearnedModel-v0"))))
    assert_same(first, play(penalise(halt(make("LearnedModel-v0")))))
    assert_same(first, play(halt(make("PenalizedModel-v0", **penalty))))
    assert_same(first, play(penalise(make("PessimisticModel-v0", threshold=RULE))))


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_keeps_the_rules_of_vector_environments(mode: str, output: str) -> None:
    options = toy_options(model=random_ensemble(), autoreset_mode=mode, output=output)
    envs = gym.make_vec("LearnedModel-v0", num_envs=N, max_episode_steps=3, **options)
    check_vector_env(HaltOnUnknown(envs, RULE, step_infos=True), n_steps=12)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_guarded_vectors_keep_them_too(mode: AutoresetMode) -> None:
    envs = SyncVectorEnv([lambda: Counting(0.0), lambda: Counting(1.0)], autoreset_mode=mode)
    check_vector_env(HaltOnUnknown(envs, step_infos=True, **GUARD), n_steps=12, stochastic=False)


def counting_vector(mode: AutoresetMode, **options: Any) -> SyncVectorEnv:
    """Rows that count from 0 and from 1, of which the second is cut after two steps."""

    def second() -> gym.Env[Any, Any]:
        return gym.wrappers.TimeLimit(Counting(1.0), 2)

    return SyncVectorEnv([Counting, second], autoreset_mode=mode, **options)


@pytest.mark.parametrize("copy", [True, False])
def test_halted_row_restarts_within_the_step(copy: bool) -> None:
    envs = HaltOnUnknown(counting_vector(AutoresetMode.SAME_STEP, copy=copy), kappa=1.0, **GUARD)
    envs.reset(seed=0)
    course = []
    for _ in range(5):
        obs, rewards, terminations, truncations, infos = envs.step(np.zeros((2, 1), np.float32))
        final = [None if o is None else float(o[0]) for o in infos.get("final_obs", [None, None])]
        course.append(
            (obs[:, 0].tolist(), rewards.tolist(), terminations.tolist(), truncations.tolist(), final)
        )
        assert infos.get("_final_obs", np.zeros(2, bool)).tolist() == [o is not None for o in final]
    no = [False, False]
    assert course == [
        ([1, 2], [1, 1], no, no, [None, None]),
        ([2, 1], [1, 1], no, [False, True], [None, 3.0]),
        ([3, 2], [1, 1], no, no, [None, None]),
        ([0, 1], [-5, 1], [True, False], [False, True], [4.0, 3.0]),  # at 3, the pair is unknown
        ([1, 2], [1, 1], no, no, [None, None]),
    ]
    assert (envs.halt_counter.n_steps, envs.halt_counter.n_episodes, envs.halt_counter.n_halted) == (10, 3, 1)


class Named(gym.ObservationWrapper[Any, Any, Any]):
    """The two numbers of an observation by name."""

    observation_space: Any = Dict(count=Box(-99.0, 99.0, (1,)), still=Box(-99.0, 99.0, ()))

    def observation(self, observation: Any) -> dict[str, Any]:
        return {"count": observation[:1], "still": observation[1]}


@pytest.mark.parametrize("copy", [True, False])
def test_halted_row_of_named_parts_restarts_within_the_step(copy: bool) -> None:
    rows = [lambda: Named(Counting(0.0)), lambda: Named(Counting(2.0))]
    envs = HaltOnUnknown(SyncVectorEnv(rows, autoreset_mode=AutoresetMode.SAME_STEP, copy=copy), **GUARD)
    envs.reset(seed=0)
    envs.step(np.zeros((2, 1), np.float32))
    obs, _, terminations, _, infos = envs.step(np.zeros((2, 1), np.float32))  # from 1, and from the unknown 3
    assert terminations.tolist() == [False, True]
    assert obs["count"].tolist() == [[2.0], [2.0]]
    assert infos["final_obs"].tolist() == [None, {"count": np.array([4.0]), "still": 0.0}]
    assert infos["_final_obs"].tolist() == [False, True]


def test_halted_row_restarts_at_the_next_step() -> None:
    envs = HaltOnUnknown(counting_vector(AutoresetMode.NEXT_STEP), step_infos=True, **GUARD)
    envs.reset(seed=0)
    course = []
    for _ in range(6):
        obs, rewards, terminations, _, infos = envs.step(np.zeros((2, 1), np.float32))
        course.append((obs[0, 0], rewards[0], terminations[0], infos["disagreement"][0].round(3)))
    assert course == [
        (1, 1, False, 0),
        (2, 1, False, 1),
        (3, 1, False, 2),
        (4, 1, True, 3),
        (0, 0, False, 0),  # what the environment's own fifth step gives is thrown away
        (1, 1, False, 0),
    ]
    assert (envs.halt_counter.n_steps, envs.halt_counter.n_episodes, envs.halt_counter.n_halted) == (9, 3, 1)


def test_row_that_restarts_at_the_next_step_has_empty_infos() -> None:
    """The uncertainty is obs₀; what the environment's own fifth step reports belongs to no step."""
    envs = UncertaintyPenalty(
        counting_vector(AutoresetMode.NEXT_STEP),
        penalty="max_disagreement",
        model=GUARD["model"],
        step_infos=True,
    )
    halting = HaltOnUnknown(envs, step_infos=True, kappa=5.0, **GUARD)
    halting.reset(seed=0)
    infos = [halting.step(np.zeros((2, 1), np.float32))[4] for _ in range(6)]
    for name, expected in (("raw_reward", [1, 1, 1, 1, 0, 1]), ("penalty", [0, 1, 2, 0, 0, 0])):
        assert [float(info[name][0]) for info in infos] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_row_is_cut_as_it_would_be_halted(mode: AutoresetMode) -> None:
    """The same course in every mode, with the ends of the halt as truncations."""
    halted = HaltOnUnknown(counting_vector(mode), **GUARD)
    cut = HaltOnUnknown(counting_vector(mode), on_unknown="truncate", **GUARD)
    halted.reset(seed=0)
    cut.reset(seed=0)
    n_cut = 0
    for _ in range(7):
        expected, found = (envs.step(np.zeros((2, 1), np.float32)) for envs in (halted, cut))
        assert (found[0].tolist(), found[1].tolist()) == (expected[0].tolist(), expected[1].tolist())
        assert not found[2].any()
        assert found[3].tolist() == (expected[2] | expected[3]).tolist()
        n_cut += int(expected[2].sum())
        if mode == AutoresetMode.DISABLED and found[3].any():
            for envs in (halted, cut):
                envs.reset(options={"reset_mask": found[3].copy()})
    assert n_cut > 0


def test_halted_row_waits_for_the_caller() -> None:
    envs = HaltOnUnknown(SyncVectorEnv([Counting] * 2, autoreset_mode=AutoresetMode.DISABLED), **GUARD)
    envs.reset(seed=0)
    steps = [envs.step(np.zeros((2, 1), np.float32)) for _ in range(4)]
    assert [step[2].tolist() for step in steps] == [[False, False]] * 3 + [[True, True]]
    obs, _ = envs.reset(options={"reset_mask": np.array([True, True])})
    assert obs[:, 0].tolist() == [0.0, 0.0]
    assert envs.halt_counter.n_episodes == 2


class Tensors(VectorWrapper):
    """Arrays as tensors, like an environment that somebody else computes with torch."""

    def __init__(self, env: VectorEnv[Any, Any, Any], device: str) -> None:
        super().__init__(env)
        self._device = device

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, infos = self.env.reset(seed=seed, options=options)
        return torch.as_tensor(obs, device=self._device), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        *arrays, infos = self.env.step(actions.cpu().numpy())
        obs, rewards, ended, cut = (torch.as_tensor(a.copy(), device=self._device) for a in arrays)
        return obs, rewards, ended, cut, infos


GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_guarded_tensors_are_the_guarded_arrays(mode: AutoresetMode, device: str) -> None:
    """An array joined to a bool tensor makes whole numbers, whose ~ is true everywhere, or fails on a GPU."""
    arrays = HaltOnUnknown(counting_vector(mode), **GUARD)
    tensors = HaltOnUnknown(Tensors(counting_vector(mode), device), **GUARD)
    arrays.reset(seed=0)
    tensors.reset(seed=0)
    halted = 0
    for _ in range(6):
        expected = arrays.step(np.zeros((2, 1), np.float32))
        found = tensors.step(torch.zeros(2, 1, device=device))
        for a, b in zip(found[:4], expected[:4], strict=True):
            assert (a.device.type, a.cpu().numpy().dtype, a.tolist()) == (device, b.dtype, b.tolist())
        halted += int(expected[2].sum())
        over = expected[2] | expected[3]
        if mode == AutoresetMode.DISABLED and over.any():
            arrays.reset(options={"reset_mask": over})
            tensors.reset(options={"reset_mask": over})
    assert halted == tensors.halt_counter.n_halted > 0


@pytest.mark.parametrize("mode", RESTARTING)
def test_guards_real_environments_as_the_single_wrapper_does(mode: AutoresetMode) -> None:
    ensemble = random_ensemble(obs_dim=3)
    data: dict[str, Any] = {"obs": np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)}
    data |= {"actions": np.zeros((50, 1)), "rewards": np.zeros(50), "next_obs": data["obs"]}
    data |= {"terminated": np.zeros(50, bool), "episode_starts": np.arange(50)}
    settings: Any = {"threshold": {"quantile": 0.8}, "model": ensemble, "dataset": data, "kappa": 5.0}

    def pendulum() -> gym.Env[Any, Any]:
        return gym.make("Pendulum-v1", max_episode_steps=5)

    envs = HaltOnUnknown(SyncVectorEnv([pendulum] * 3, autoreset_mode=mode), **settings)
    wrapped = SyncVectorEnv([lambda: SingleHalt(pendulum(), **settings)] * 3, autoreset_mode=mode)
    envs.reset(seed=0)
    wrapped.reset(seed=0)
    envs.action_space.seed(0)
    halted = 0
    for _ in range(40):
        actions = envs.action_space.sample()
        found, expected = envs.step(actions), wrapped.step(actions)
        for a, b in zip(found[:4], expected[:4], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)
        halted += int(found[2].sum())
    assert halted > 0


def test_a_reset_by_hand_leaves_nothing_to_restart() -> None:
    envs = HaltOnUnknown(
        SyncVectorEnv([lambda: Counting(3.0)] * 2, autoreset_mode=AutoresetMode.NEXT_STEP), **GUARD
    )
    envs.reset(seed=0)
    assert envs.step(np.zeros((2, 1), np.float32))[2].all()
    envs.reset(options={"reset_mask": np.array([True, False])})
    obs, rewards, *_ = envs.step(np.zeros((2, 1), np.float32))
    assert obs[:, 0].tolist() == [4.0, 3.0]  # the first row steps, the second restarts
    assert rewards.tolist() == [1.0, 0.0]


def test_processes_can_be_guarded() -> None:
    envs = HaltOnUnknown(AsyncVectorEnv([Counting], autoreset_mode=AutoresetMode.SAME_STEP), **GUARD)
    envs.reset(seed=0)
    steps = [envs.step(np.zeros((1, 1), np.float32)) for _ in range(4)]
    assert steps[-1][2].tolist() == [True]
    assert steps[-1][4]["final_obs"][0].tolist() == [4.0, 0.0]
    assert steps[-1][0].tolist() == [[0.0, 0.0]]
    envs.close()


def test_an_environment_that_cannot_restart_single_rows_is_refused() -> None:
    class Foreign(VectorEnv[Any, Any, Any]):
        num_envs = 2
        metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
        single_observation_space, single_action_space = Counting.observation_space, Counting.action_space

    with pytest.raises(SettingsError, match="Foreign is not known to honour"):
        HaltOnUnknown(Foreign(), **GUARD)


def test_a_second_halt_is_refused() -> None:
    once = HaltOnUnknown(gym.make_vec("LearnedModel-v0", num_envs=N, **toy_options()))
    for envs in (once, UncertaintyPenalty(once)):
        with pytest.raises(SettingsError, match="halted already"):
            HaltOnUnknown(envs)


def test_infos_are_given_only_when_asked_for() -> None:
    same_step = toy_options(autoreset_mode="SameStep")
    envs = HaltOnUnknown(gym.make_vec("LearnedModel-v0", num_envs=N, **same_step))
    with pytest.raises(ResetNeeded):
        envs.step(np.zeros((N, 1), np.float32))
    envs.reset(seed=0)
    assert set(envs.step(np.zeros((N, 1), np.float32))[4]) == {"final_obs", "_final_obs"}


def test_actions_of_another_shape_are_refused() -> None:
    envs = HaltOnUnknown(gym.make_vec("LearnedModel-v0", num_envs=N, **toy_options()))
    envs.reset(seed=0)
    with pytest.raises(SettingsError, match=r"actions must have shape \(4, 1\), got \(4, 3\)"):
        envs.step(np.zeros((N, 3), np.float32))

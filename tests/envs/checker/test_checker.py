"""The checker accepts Gymnasium's own environments, and every rule has an environment that breaks only it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from offline_envs.envs import check_vector_env
from offline_envs.envs.checker.checker import VectorEnvError
from offline_envs.errors import OfflineEnvsError

N = 3
SAME, NEXT, DISABLED = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
Change = Callable[..., Any]


class Walk(VectorEnv[Any, Any, Any]):
    """A correct environment: rows walk right from a random start and end after 3, 4 and 5 steps."""

    def __init__(self, mode: AutoresetMode = SAME, output: str = "numpy") -> None:
        self.num_envs, self.mode, self.output = N, mode, output
        self.single_observation_space, self.single_action_space = Box(0, 1000, (2,)), Box(-1, 1, (1,))
        self.observation_space = batch_space(self.single_observation_space, N)
        self.action_space = batch_space(self.single_action_space, N)
        self.metadata = {"render_modes": [], "autoreset_mode": mode}
        self.autoreset_mode = mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        mask = (options or {}).get("reset_mask")
        self.restart(np.ones(N, bool) if mask is None else np.asarray(mask))
        return self.out(self.obs.copy()), {}

    def restart(self, rows: np.ndarray) -> None:
        if rows.all():
            self.obs, self.t, self.over = np.zeros((N, 2), np.float32), np.zeros(N), np.zeros(N, bool)
        start = self.np_random.random((N, 2)).astype(np.float32)
        self.obs, self.t = np.where(rows[:, None], start, self.obs), np.where(rows, 0, self.t)
        self.over = self.over & ~rows

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        restarting = self.over
        self.obs = self.obs + 1 + np.abs(np.asarray(actions))
        self.t = self.t + 1
        rewards = np.where(restarting, 0, self.t)
        terminations = (self.t == [3, 4, 99]) & ~restarting
        truncations = (self.t == 5) & ~restarting
        self.over = terminations | truncations
        infos: dict[str, Any] = {}
        if self.mode == SAME:
            infos = {"final_obs": self.out(self.obs.copy()), "_final_obs": self.out(self.over.copy())}
            self.restart(self.over)
        elif self.mode == NEXT and restarting.any():
            over = self.over
            self.restart(restarting)
            self.over = over
        values = (self.obs.copy(), rewards, terminations, truncations)
        return *(self.out(value) for value in values), infos

    def out(self, values: np.ndarray) -> Any:
        return torch.from_numpy(values) if self.output == "torch" else values


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_accepts_a_correct_environment(mode: AutoresetMode, output: str) -> None:
    check_vector_env(Walk(mode, output))


@pytest.mark.parametrize("mode", [SAME, NEXT])
def test_accepts_gymnasiums_environments(mode: AutoresetMode) -> None:
    check_vector_env(SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 4, autoreset_mode=mode))
    check_vector_env(
        SyncVectorEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=5)] * 2, autoreset_mode=mode),
        n_steps=12,
    )


def test_warns_of_a_reset_that_changes_the_callers_options() -> None:
    envs = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 4, autoreset_mode=DISABLED)
    with pytest.warns(UserWarning, match="takes reset_mask out of the caller's options"):
        check_vector_env(envs)


def test_accepts_observations_that_are_dictionaries() -> None:
    class Named(gym.ObservationWrapper[Any, Any, Any]):
        observation_space = gym.spaces.Dict({"a": Box(-10, 10, (4,)), "b": gym.spaces.Discrete(2)})  # type: ignore[override]

        def observation(self, obs: Any) -> Any:
            return {"a": obs.clip(-10, 10), "b": int(obs[0] > 0)}

    for mode in (SAME, NEXT):
        check_vector_env(
            SyncVectorEnv([lambda: Named(gym.make("CartPole-v1"))] * 2, autoreset_mode=mode), n_steps=60
        )


def test_warns_if_no_episode_ends() -> None:
    with pytest.warns(UserWarning, match="No episode ended within n_steps=2"):
        check_vector_env(Walk(), n_steps=2)


def test_a_deterministic_environment_is_accepted_when_it_is_declared() -> None:
    class Fixed(Walk):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return super().reset(seed=None if seed is None else 0, options=options)

    check_vector_env(Fixed(), stochastic=False)
    with pytest.raises(VectorEnvError, match="another seed gives other numbers"):
        check_vector_env(Fixed())


def changed_step(position: int | str, change: Change) -> type[Walk]:
    """Make a `Walk` whose step returns one value changed, or one entry of its infos."""

    class Changed(Walk):
        def step(self, actions: Any) -> Any:
            *values, infos = super().step(actions)
            if isinstance(position, int):
                values[position] = change(values[position])
            elif position in infos:
                infos[position] = change(infos[position])
            return *values, infos

    return Changed


def changed_init(**attributes: Any) -> type[Walk]:
    class Changed(Walk):
        def __init__(self, mode: AutoresetMode = SAME, output: str = "numpy") -> None:
            super().__init__(mode, output)
            self.__dict__.update(attributes)

    return Changed


class Unseeded(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        del seed  # Unused: that is the fault.
        return super().reset(seed=None, options=options)


class OneBuffer(Walk):
    buffer = np.zeros((N, 2), np.float32)

    def step(self, actions: Any) -> Any:
        obs, *rest = super().step(actions)
        self.buffer[:] = obs
        return self.buffer, *rest


class LiveState(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        return self.obs, {}


class NoFinalObs(Walk):
    def step(self, actions: Any) -> Any:
        return *super().step(actions)[:4], {}


class FinalObsOfTheNextEpisode(Walk):
    def step(self, actions: Any) -> Any:
        obs, *rest, infos = super().step(actions)
        return obs, *rest, {**infos, "final_obs": obs.copy()}


class OneFinalBuffer(Walk):
    def step(self, actions: Any) -> Any:
        obs, *rest, infos = super().step(actions)
        both = np.stack([obs, infos["final_obs"]])
        return both[0], *rest, {**infos, "final_obs": both.reshape(-1, 2)[1 : N + 1]}


class IgnoresTheMask(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=seed)


class NeverRestarts(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if options and "reset_mask" in options:
            return self.obs.copy(), {}
        return super().reset(seed=seed, options=options)


class ClearsTheMask(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        returned = super().reset(seed=seed, options=options)
        if options and "reset_mask" in options:
            options["reset_mask"][:] = False
        return returned


class WritesOptions(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if options is not None:
            options["seed"] = seed
        return super().reset(seed=seed, options=options)


class ListensWhileRestarting(Walk):
    def step(self, actions: Any) -> Any:
        restarting = self.over
        rest = super().step(actions)[1:]
        self.obs[restarting] += np.abs(actions[restarting])
        return self.obs.copy(), *rest


class EndsWhileRestarting(Walk):
    def step(self, actions: Any) -> Any:
        restarting = self.over
        obs, rewards, terminations, *rest = super().step(actions)
        return obs, rewards, terminations | restarting, *rest


FAULTS: dict[str, tuple[type[Walk], AutoresetMode, str]] = {
    "num_envs": (changed_init(num_envs=0), SAME, "num_envs is a positive int"),
    "batch space": (
        changed_init(observation_space=Box(0, 1000, (2,))),
        SAME,
        "observation_space is batch_space",
    ),
    "no space": (changed_init(single_action_space=None), SAME, "single_action_space is a space"),
    "metadata": (changed_init(metadata={}), SAME, r"metadata\[\"autoreset_mode\"\] is a"),
    "attribute": (changed_init(autoreset_mode=NEXT), SAME, "attribute autoreset_mode agrees"),
    "obs shape": (changed_step(0, lambda obs: obs[:2]), SAME, r"obs have shape \(3, 2\)"),
    "obs dtype": (changed_step(0, lambda obs: obs.astype(np.float64)), SAME, "obs are float32"),
    "obs outside": (changed_step(0, lambda obs: -obs), SAME, "obs of step lie in the observation space"),
    "obs nan": (changed_step(0, lambda obs: obs * np.float32("nan")), SAME, "lie in the observation space"),
    "reward shape": (changed_step(1, lambda r: r[:, None]), SAME, r"rewards have shape \(3,\)"),
    "reward type": (changed_step(1, lambda r: r.astype(int)), SAME, "rewards are floating"),
    "reward nan": (changed_step(1, lambda r: r * np.nan), SAME, "rewards are finite"),
    "reward kind": (changed_step(1, torch.from_numpy), SAME, "rewards are of the kind of obs"),
    "reward list": (changed_step(1, list), SAME, "rewards are of the kind of obs"),
    "flag type": (changed_step(2, lambda flags: flags.astype(float)), SAME, "terminations are bool"),
    "flag shape": (changed_step(3, lambda flags: flags[:1]), SAME, r"truncations have shape \(3,\)"),
    "infos": (changed_step("_final_obs", lambda mask: ~mask), SAME, "_final_obs marks what ended"),
    "no final obs": (NoFinalObs, SAME, "infos hold final_obs and _final_obs"),
    "final outside": (
        changed_step("final_obs", lambda obs: -obs),
        SAME,
        "a row that ended lies in the space",
    ),
    "final is next": (FinalObsOfTheNextEpisode, SAME, "obs begin the next episode"),
    "final shares": (OneFinalBuffer, SAME, "obs and final_obs share no memory"),
    "buffer": (OneBuffer, SAME, "what was returned is never written again"),
    "unseeded": (Unseeded, SAME, "the same integer seed gives the same numbers"),
    "live state": (LiveState, SAME, "a caller may write into what was returned"),
    "options": (WritesOptions, SAME, "empty options change nothing and stay empty"),
    "next reward": (changed_step(1, lambda r: r + 1), NEXT, "restarts a row returns reward 0"),
    "next flags": (EndsWhileRestarting, NEXT, "restarts a row returns both flags False"),
    "next action": (ListensWhileRestarting, NEXT, "ignores its action"),
    "mask ignored": (IgnoresTheMask, DISABLED, "reset_mask leaves the other rows as they are"),
    "never restarts": (NeverRestarts, DISABLED, "reset_mask restarts its rows"),
    "mask cleared": (ClearsTheMask, DISABLED, "the caller's mask as it was"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_names_the_rule_that_is_broken(name: str) -> None:
    fault, mode, rule = FAULTS[name]
    with pytest.raises(VectorEnvError, match=f"Rule: .*{rule}.* Found: "):
        check_vector_env(fault(mode), n_steps=20)


def test_a_single_environment_is_refused() -> None:
    with pytest.raises(VectorEnvError, match=r"is a gymnasium\.vector\.VectorEnv"):
        check_vector_env(gym.make("CartPole-v1"))  # type: ignore[arg-type]


def test_the_error_is_ours_and_an_assertion() -> None:
    assert issubclass(VectorEnvError, OfflineEnvsError)
    assert issubclass(VectorEnvError, AssertionError)

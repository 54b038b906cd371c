"""Agents that learn together end as each does alone, bit for bit on a CPU."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from offline_envs.envs import LearnedVectorEnv
from offline_envs.errors import SettingsError
from offline_envs.sb3 import COMBO, MOBILE, REDQ, FastSAC, with_device_rollouts, with_uniform_rollouts
from offline_envs.sb3.together.cycles import check_joinable, cycles
from offline_envs.sb3.together.imagined_steps import can_be_joined
from offline_envs.sb3.together.streams import RandomStreams, streams_kept
from offline_envs.sb3.together.work import Group, Member
from tests.fake_graph import use_fake_graphs
from tests.sb3.device_toy import N, make, make_envs
from tests.sb3.fast_sac.agents import assert_same, numbers

CPU = torch.device("cpu")
TIMESTEPS = 3 * 4 * N
"""Three cycles."""

Make = Callable[[], Any]

RATES: dict[str, Any] = {"actor_learning_rate": 1e-3, "critic_learning_rate": 1e-4, "gamma": 0.9}
AVERAGED: dict[str, Any] = {"actor_ema_decay": 0.5, "critic_layer_norm": True, "target_update_interval": 2}
WIDE: dict[str, Any] = {"policy_kwargs": {"net_arch": [16, 16], "n_critics": 3}, "ent_coef": 0.1}
RATIO: dict[str, Any] = {
    "replay_buffer_kwargs": {**make(FastSAC).replay_buffer_kwargs, "real_ratio": 0.25},
    "batch_size": 12,
}


def seeded(agent: type[Any] = FastSAC, seed: int = 0, *, output: str = "numpy", **options: Any) -> Make:
    def made() -> Any:
        found = make(agent, make_envs(output=output), seed=seed, **options)
        found.set_logger(configure(None, []))
        return found

    return made


SETS: dict[str, list[Make]] = {
    "seeds": [seeded(seed=seed) for seed in range(3)],
    "settings": [seeded(), seeded(**RATES), seeded(**AVERAGED), seeded(**WIDE), seeded(**RATIO)],
    "kinds": [seeded(), seeded(REDQ), seeded(COMBO), seeded(with_uniform_rollouts(FastSAC))],
    "other cycles": [seeded(), seeded(gradient_steps=5), seeded(train_freq=8, seed=1), seeded(seed=2)],
    "on the device": [seeded(with_device_rollouts(FastSAC), seed, output="torch") for seed in range(2)],
}


def alone(make_agent: Make, timesteps: int = TIMESTEPS) -> Any:
    agent = make_agent()
    agent.learn(timesteps, log_interval=None)
    return agent


def together(makers: list[Make], timesteps: list[int] | None = None) -> list[Any]:
    members, agents = [], []
    with streams_kept():
        for number, make_agent in enumerate(makers):
            streams = RandomStreams(CPU)
            with streams.active():
                agent = make_agent()
            agents.append(agent)
            steps = TIMESTEPS if timesteps is None else timesteps[number]
            members.append(Member(cycles(agent, steps, []), streams))
        run_group(members)
    return agents


def run_group(members: list[Member]) -> None:
    with Group(CPU, members) as group:
        group.start()
        group.run()


def assert_as_alone(found: Any, expected: Any) -> None:
    assert_same(numbers(found), numbers(expected))
    assert found._n_updates == expected._n_updates > 0
    ours, theirs = found.replay_buffer, expected.replay_buffer
    torch.testing.assert_close(ours._rows, theirs._rows, rtol=0, atol=0)
    assert ours.generator.bit_generator.state == theirs.generator.bit_generator.state


@pytest.mark.parametrize("kind", SETS)
def test_each_ends_as_alone(kind: str) -> None:
    makers = SETS[kind]
    for found, expected in zip(together(makers), map(alone, makers), strict=True):
        assert_as_alone(found, expected)
        assert found.logger.name_to_value == expected.logger.name_to_value


def test_one_that_has_ended_leaves_the_others_alone() -> None:
    makers, timesteps = SETS["seeds"], [4 * N, 5 * 4 * N, 2 * 4 * N]
    found = together(makers, timesteps)
    for agent, make_agent, steps in zip(found, makers, timesteps, strict=True):
        assert_as_alone(agent, alone(make_agent, steps))


def test_they_go_on_alone_and_together() -> None:
    """After learning together an agent is an ordinary one, and the other way round."""
    makers = SETS["seeds"][:2]
    first = together(makers)
    expected = [alone(make_agent) for make_agent in makers]
    for found, whole in zip(first, expected, strict=True):
        for agent in (found, whole):
            agent.set_random_seed(5)
            agent.learn(4 * N, log_interval=None, reset_num_timesteps=False)
        assert_as_alone(found, whole)
    members = []
    for agent in first:
        streams = RandomStreams(CPU)
        with streams.active():
            agent.set_random_seed(6)
        members.append(Member(cycles(agent, 4 * N, []), streams))
    run_group(members)
    for found, whole in zip(first, expected, strict=True):
        whole.set_random_seed(6)
        whole.learn(4 * N, log_interval=None, reset_num_timesteps=False)
        assert_as_alone(found, whole)


@pytest.mark.parametrize("on_device", [False, True])
def test_graphs_of_several_agents_replay_their_own_calls(
    on_device: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CUDA device, with graphs that only play back; target networks follow at every second step."""
    use_fake_graphs(monkeypatch)
    monkeypatch.setattr(Group, "_captures", property(lambda group: True))
    kind = with_device_rollouts(FastSAC) if on_device else FastSAC
    options: dict[str, Any] = {"gradient_steps": 12, "target_update_interval": 2}
    options["output"] = "torch" if on_device else "numpy"
    makers = [seeded(kind, seed, **options) for seed in range(2)]
    for found, expected in zip(together(makers, [4 * N, 8 * N]), makers, strict=True):
        assert_as_alone(found, alone(expected, found.num_timesteps))


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs with branches need CUDA")


@needs_cuda
def test_each_ends_as_alone_on_cuda() -> None:
    """Kernels are those of an agent alone, so only sums of another order could differ."""
    device = torch.device("cuda")
    kind = with_device_rollouts(FastSAC)

    def made(seed: int) -> Any:
        envs = make_envs(output="torch", device="cuda")
        agent = make(kind, envs, seed=seed, device="cuda", gradient_steps=12)
        agent.set_logger(configure(None, []))
        return agent

    expected = []
    for seed in range(2):
        agent = made(seed)
        agent.learn(TIMESTEPS, log_interval=None)
        expected.append(agent)
    members, agents = [], []
    with streams_kept():
        for seed in range(2):
            streams = RandomStreams(device)
            with streams.active():
                agents.append(made(seed))
            members.append(Member(cycles(agents[-1], TIMESTEPS, []), streams))
        with Group(device, members) as group:
            group.start()
            group.run()
    for found, whole in zip(agents, expected, strict=True):
        assert_same(numbers(found), numbers(whole), 1e-3)


class Failing(BaseCallback):
    """Fails at the start of the second cycle."""

    def _on_rollout_start(self) -> None:
        if self.num_timesteps:
            raise RuntimeError("enough")

    def _on_step(self) -> bool:
        return True


def test_an_error_closes_the_others_in_a_state_that_can_be_saved() -> None:
    agents = [seeded(seed=seed)() for seed in range(2)]
    members = [Member(cycles(agents[0], TIMESTEPS, []), RandomStreams(CPU))]
    members.append(Member(cycles(agents[1], TIMESTEPS, [Failing()]), RandomStreams(CPU)))
    with pytest.raises(RuntimeError, match="enough"):
        run_group(members)
    state = agents[0].actor.optimizer.state_dict()["state"][0]
    assert state["step"] == agents[0]._n_updates == 2


def test_global_random_numbers_stay_the_callers() -> None:
    def states() -> tuple[Any, ...]:
        legacy: Any = np.random.get_state()  # noqa: NPY002
        return random.getstate(), legacy[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    together(SETS["seeds"])
    assert states() == before


class OwnLearn(FastSAC):
    """Trains in its own way."""

    def learn(self, *args: Any, **kwargs: Any) -> Any:
        return super().learn(*args, **kwargs)


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (SAC, r"FastSAC's training, such as fastsac, got SAC. .*--processes"),
        (MOBILE, r"own train, which MOBILE overrides"),
        (OwnLearn, r"own learn, which OwnLearn overrides"),
    ],
)
def test_agents_that_train_otherwise_are_refused(agent: type[Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        check_joinable(agent)
    check_joinable(with_device_rollouts(with_uniform_rollouts(REDQ)))


def test_the_loop_is_that_of_stable_baselines3() -> None:
    """No gradient steps before `learning_starts`; as many as steps if −1; a callback can end it."""
    makers = [seeded(learning_starts=4 * N), seeded(gradient_steps=-1, seed=1)]
    for found, expected in zip(together(makers), map(alone, makers), strict=True):
        assert_as_alone(found, expected)


class Until(BaseCallback):
    """Returns False at a step; keeps the rewards of the steps before."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.rewards: list[torch.Tensor] = []
        self._last = last

    def _on_step(self) -> bool:
        self.rewards.append(self.locals["transition"].reward)
        return self.n_calls < self._last


def test_a_callback_gets_each_imagined_step_and_can_end_the_training() -> None:
    """The sixth step of cycles of four: nothing is learned after it, and five steps are stored."""
    maker, calls = seeded(with_device_rollouts(FastSAC), output="torch"), [Until(6), Until(6)]
    streams = RandomStreams(CPU)
    with streams_kept(), streams.active():
        agent = maker()
    run_group([Member(cycles(agent, TIMESTEPS, [calls[0]]), streams)])
    whole = maker()
    whole.learn(TIMESTEPS, callback=calls[1], log_interval=None)
    torch.testing.assert_close(calls[0].rewards, calls[1].rewards, rtol=0, atol=0)
    assert_as_alone(agent, whole)
    assert agent.replay_buffer.model_size == 5 * N
    assert agent.num_timesteps == whole.num_timesteps == 6 * N
    assert agent._episode_num == whole._episode_num


def test_steps_are_looked_at_as_often_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a model whose predictions explode is warned of."""
    looks: list[int] = []
    original = LearnedVectorEnv.look

    def look(env: LearnedVectorEnv) -> None:
        looks.append(1)
        original(env)

    monkeypatch.setattr(LearnedVectorEnv, "look", look)
    together([seeded(with_device_rollouts(FastSAC), output="torch")])
    assert len(looks) == TIMESTEPS // N


def test_an_environment_that_must_not_be_captured_is_stepped_by_the_agent() -> None:
    kind = with_device_rollouts(FastSAC)
    assert can_be_joined(make(kind, make_envs(output="torch")))
    assert not can_be_joined(make(kind, make_envs(output="torch", capture=False)))
    assert not can_be_joined(make(FastSAC))

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._python_dispatch import TorchDispatchMode

from offline_envs.envs import Rollout, imagine
from offline_envs.mdp import inputs
from offline_envs.sb3 import (
    FastSAC,
    MixedReplayBuffer,
    RealEvalCallback,
    SB3VecEnv,
    agent_class,
    with_device_rollouts,
    with_uniform_rollouts,
)
from offline_envs.sb3.rollouts import policy_graph
from offline_envs.sb3.rollouts.device_rollouts import DeviceRollouts
from offline_envs.sb3.rollouts.policy_graph import PolicyGraph
from offline_envs.wrappers.vector import HaltOnUnknown, UncertaintyPenalty
from tests.fake_graph import use_fake_graphs
from tests.sb3.device_toy import PENALISED, PESSIMISTIC, N, make, make_envs
from tests.sb3.toy import WITH_CRITICS
from tests.toy import right_of_six, toy_options


def model_rows(agent: Any) -> Tensor:
    """Every model row: obs, action, next_obs, done and reward."""
    buffer = agent.replay_buffer
    rows: Tensor = buffer._storage()[buffer.real_size :][: buffer.model_size]
    return rows


def assert_alike(one: Any, other: Any) -> None:
    torch.testing.assert_close(model_rows(one), model_rows(other), atol=1e-5, rtol=1e-5)
    for name in ("num_timesteps", "_n_updates", "_episode_num", "_current_progress_remaining"):
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_allclose(one._last_obs, other._last_obs, atol=1e-5)


@pytest.mark.parametrize("model", [PENALISED, PESSIMISTIC], ids=["penalised", "pessimistic"])
@pytest.mark.parametrize("name", WITH_CRITICS)
def test_transitions_are_those_of_the_plain_agent(name: str, model: tuple[str, Any]) -> None:
    """Four cycles, the last follow a policy that has learned; four steps are no multiple of the horizon."""
    plain, device = (
        make(kind, make_envs(model)).learn(16 * N) for kind in (agent_class(name), on_device(name))
    )
    assert model_rows(plain).shape == (16 * N, 7)
    assert_alike(plain, device)


def on_device(name: str) -> type[Any]:
    return with_device_rollouts(agent_class(name))


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_the_graph_of_a_policy_draws_what_the_policy_draws(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In later cycles its weights have changed."""
    use_fake_graphs(monkeypatch)
    eager, captured = (make(on_device(name), make_envs(PENALISED)) for _ in range(2))
    for agent in (eager, captured):
        agent.set_random_seed(3)
        for _ in range(3):
            monkeypatch.setattr(policy_graph, "captures", lambda policy, agent=agent: agent is captured)
            agent.learn(8 * N, reset_num_timesteps=False)
    assert captured._policy_graph._call._replay is not None
    assert_alike(eager, captured)


def test_a_graph_fits_a_policy_until_its_weights_move_in_memory() -> None:
    """FastSAC moves them at its first gradient step."""
    agent = make(on_device("fastsac"), make_envs(PENALISED))
    graph = PolicyGraph(agent.policy)
    assert graph.fits(agent.policy)
    agent.learn(4 * N)
    assert not graph.fits(agent.policy)
    graph = PolicyGraph(agent.policy)
    agent.learn(4 * N)
    assert graph.fits(agent.policy)
    assert not graph.fits(deepcopy(agent.policy))


@pytest.mark.parametrize("wrapper", [UncertaintyPenalty, HaltOnUnknown])
def test_our_own_wrappers_are_stepped_too(wrapper: Any) -> None:
    plain = ("LearnedModel-v0", toy_options(termination=right_of_six))
    kinds = (SAC, with_device_rollouts(SAC))
    assert_alike(*(make(kind, wrapper(make_envs(plain))).learn(8 * N) for kind in kinds))


def test_an_agent_may_switch_between_the_two_ways() -> None:
    """Each class continues where the other one stopped."""
    plain, moved = make(SAC).learn(12 * N), make(with_device_rollouts(SAC)).learn(4 * N)
    moved.__class__ = SAC
    moved.learn(4 * N, reset_num_timesteps=False)
    moved.__class__ = with_device_rollouts(SAC)
    moved.learn(4 * N, reset_num_timesteps=False)
    torch.testing.assert_close(model_rows(moved), model_rows(plain), atol=1e-5, rtol=1e-5)


def test_no_step_passes_through_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make(with_device_rollouts(SAC))
    for owner, name in ((SB3VecEnv, "step_wait"), (MixedReplayBuffer, "add"), (SAC, "predict")):
        monkeypatch.setattr(owner, name, lambda *args, **kwargs: pytest.fail("a step passed through NumPy"))
    assert agent.learn(8 * N).replay_buffer.model_size == 8 * N


class Synchronisations(TorchDispatchMode):
    """Counts the operations whose result the host would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        indices = args[1] if str(func).startswith(("aten.index.", "aten.index_put_.")) else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in indices)
        if by_mask or any(f"aten.{name}." in str(func) for name in ("_local_scalar_dense", "nonzero")):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("learning_starts", [0, 10**6], ids=["policy", "uniform"])
@pytest.mark.parametrize("name", WITH_CRITICS)
def test_the_host_waits_for_no_operation_of_a_step(
    name: str, learning_starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "is_on_host", lambda tensor: False)  # as on a device
    monkeypatch.setattr(Distribution, "_validate_args", True)  # torch.compile leaves it off
    agent = make(on_device(name))
    agent.env.reset()
    agent.policy.set_training_mode(False)
    steps = imagine(agent._explorer(learning_starts), agent.env.env)
    next(steps)
    with Synchronisations() as looks:
        for _ in range(4):
            next(steps)
    assert looks.found == []
    assert Distribution._validate_args  # restored
    with Synchronisations() as looks:
        bool(torch.ones(1).all())
        torch.ones(2)[torch.tensor([True, False])]
    assert len(looks.found) >= 2


@pytest.mark.parametrize("kind", [SAC, FastSAC])
def test_uniform_actions_before_learning_starts_and_always_where_asked(kind: type[Any]) -> None:
    """The Kolmogorov-Smirnov distance of 1000 uniform draws exceeds 1.63 / √1000 once in a hundred seeds."""
    both_ways = (
        with_device_rollouts(with_uniform_rollouts(kind)),
        with_uniform_rollouts(with_device_rollouts(kind)),
    )
    agents = [make(with_device_rollouts(kind), make_envs(num_envs=250), learning_starts=1000)]
    agents += [make(both, make_envs(num_envs=250)) for both in both_ways]
    for agent in agents:
        with torch.no_grad():
            for parameter in agent.actor.parameters():
                parameter.fill_(5.0)  # the policy's own actions are all 1
            agent.actor.log_std.weight.fill_(0.0)
            agent.actor.log_std.bias.fill_(-20.0)
        agent.learn(1000)
        ranks = (torch.arange(1000) + 0.5) / 1000
        assert (model_rows(agent)[:1000, 2].sort().values / 2 + 0.5 - ranks).abs().max() < 1.63 / 1000**0.5
        assert agent._n_updates == (0 if agent is agents[0] else 2)
    agents[0].gradient_steps = 0
    agents[0].learn(1000, reset_num_timesteps=False)
    torch.testing.assert_close(model_rows(agents[0])[1000:, 2], torch.ones(1000), atol=1e-3, rtol=0)


class Watching(BaseCallback):
    """Records its calls, and stops at a step."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.stop_at, self.calls = stop_at, list[str]()
        self.timesteps, self.transitions = list[int](), list[Rollout]()

    def _on_rollout_start(self) -> None:
        self.calls.append("start")

    def _on_rollout_end(self) -> None:
        self.calls.append("end")

    def _on_step(self) -> bool:
        self.calls.append("step")
        self.timesteps.append(self.num_timesteps)
        self.transitions.append(self.locals["transition"])
        return self.n_calls != self.stop_at


def test_callbacks_see_every_step() -> None:
    callback = Watching()
    agent = make(with_device_rollouts(SAC)).learn(2 * 4 * N, callback)
    assert callback.calls == ["start", *["step"] * 4, "end"] * 2
    assert callback.timesteps == [N * step for step in range(1, 9)]
    seen = torch.cat([transition.next_obs for transition in callback.transitions])
    assert torch.equal(seen, model_rows(agent)[:, 3:5])


def test_a_callback_stops_within_a_cycle_as_with_the_plain_agent() -> None:
    callback = Watching(stop_at=6)
    agents = [
        make(SAC).learn(400, StopAtSixth()),
        make(with_device_rollouts(SAC)).learn(400, callback),
    ]
    assert callback.calls[-3:] == ["start", "step", "step"]
    assert [agent.num_timesteps for agent in agents] == [6 * N, 6 * N]
    assert [agent.replay_buffer.model_size for agent in agents] == [5 * N, 5 * N]
    torch.testing.assert_close(*map(model_rows, agents), atol=1e-5, rtol=1e-5)


class StopAtSixth(BaseCallback):
    def _on_step(self) -> bool:
        return self.n_calls != 6


def test_an_interrupted_cycle_keeps_its_transitions() -> None:
    class Interrupt(BaseCallback):
        def _on_step(self) -> bool:
            if self.n_calls == 3:
                raise KeyboardInterrupt
            return True

    agent = make(with_device_rollouts(SAC))
    with pytest.raises(KeyboardInterrupt):
        agent.learn(8 * N, Interrupt())
    assert agent.replay_buffer.model_size == 2 * N


def test_real_evaluations_take_place_and_logs_are_written(tmp_path: Path) -> None:
    envs = make_envs(num_envs=4)
    real = gym.make("LearnedModel-v0", **toy_options(max_episode_steps=3))
    callback = RealEvalCallback(real, every=2, n_episodes=1)
    agent = make(with_device_rollouts(SAC), envs).learn(3 * 16, callback, log_interval=None)
    assert [record.gradient_steps for record in callback.history] == [2, 4, 6]
    assert [record.timesteps for record in callback.history] == [16, 32, 48]
    real.close()
    dumps = list[int]()
    agent.dump_logs = lambda: dumps.append(agent._episode_num)
    agent.learn(6 * 16, log_interval=10)
    assert dumps[0] >= 10
    assert dumps == sorted(set(dumps))


def test_gradient_steps_of_minus_one_are_one_per_transition() -> None:
    agent = make(with_device_rollouts(SAC), make_envs(num_envs=3), gradient_steps=-1).learn(12)
    assert agent._n_updates == 12


def test_files_are_those_of_the_plain_agent(tmp_path: Path) -> None:
    agent = make(with_device_rollouts(SAC)).learn(4 * N)
    agent.save(tmp_path / "device.zip")
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    obs = np.ones((3, 2), np.float32)
    plain = SAC.load(tmp_path / "device.zip", device="cpu")
    assert np.array_equal(
        plain.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0]
    )
    plain.save(tmp_path / "plain.zip")
    assert with_device_rollouts(SAC).load(tmp_path / "plain.zip", device="cpu").env is None
    again = with_device_rollouts(SAC).load(tmp_path / "plain.zip", env=SB3VecEnv(make_envs()), device="cpu")
    again.load_replay_buffer(tmp_path / "buffer.pkl")
    again.learn(4 * N, reset_num_timesteps=False)
    assert isinstance(again.replay_buffer, MixedReplayBuffer)
    assert again.num_timesteps == again.replay_buffer.model_size == 8 * N


def test_there_is_one_class_for_an_agent() -> None:
    device = with_device_rollouts(SAC)
    assert with_device_rollouts(SAC) is with_device_rollouts(device) is device
    assert device.__name__ == "SACWithDeviceRollouts"


@pytest.mark.parametrize("name", ["_setup_model", "_setup_learn", "collect_rollouts"])
def test_sb3_still_has_what_is_overridden(name: str) -> None:
    theirs = inspect.signature(getattr(OffPolicyAlgorithm, name)).parameters
    ours = inspect.signature(getattr(DeviceRollouts, name)).parameters
    assert list(theirs) == list(ours) or set(ours) == {"self", "args", "kwargs"}
    assert f"self.{name}(" in inspect.getsource(OffPolicyAlgorithm) + inspect.getsource(SAC)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["sac", "fastsac", "td3"])
def test_a_cycle_on_a_gpu(name: str) -> None:
    agent = make(on_device(name), make_envs(device="cuda"), device="cuda")
    agent.learn(4 * N)
    assert model_rows(agent).device.type == "cuda"
    assert bool(model_rows(agent).isfinite().all())
    steps = imagine(agent._explorer(0), agent.env.env)
    agent.policy.set_training_mode(False)
    next(steps)
    with unsynchronised():
        for _ in range(5):
            next(steps)


@contextmanager
def unsynchronised() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3 import FastSAC, MixedReplayBuffer, StandardizedObs
from offline_envs.sb3.fast_sac import fast_sac
from offline_envs.sb3.fast_sac.sac_step import SACBatch
from tests.fake_graph import use_fake_graphs
from tests.sb3.fast_sac.agents import MIXED, assert_same, double_precision, make, numbers, reloaded
from tests.sb3.toy import toy_transitions

STANDARDIZED = {
    "features_extractor_class": StandardizedObs,
    "features_extractor_kwargs": {"mean": [0.5, -1.0], "std": [2.0, 0.25]},
}


@pytest.fixture
def double() -> Iterator[None]:
    with double_precision():
        yield


def assert_learns_as_sac(updates: int, tolerance: float, calls: int = 1, **settings: Any) -> None:
    """Train both classes from the same seed with the same number of gradient steps."""
    fast, slow = make(FastSAC, **settings), make(SAC, **settings)
    start = numbers(slow)
    assert_same(numbers(fast), start, 0)
    for agent in (fast, slow):
        agent.set_random_seed(3)
        for _ in range(calls):
            agent.train(updates, batch_size=16)
    assert not torch.equal(numbers(slow)["policy actor.mu.bias"], start["policy actor.mu.bias"])
    assert_same(numbers(fast), numbers(slow), tolerance)
    logged = fast.logger.name_to_value
    assert logged.keys() == slow.logger.name_to_value.keys()
    for name, value in slow.logger.name_to_value.items():
        assert logged[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize("updates", [1, 20])
@pytest.mark.parametrize("ent_coef", ["auto", "auto_0.1", 0.2])
@pytest.mark.usefixtures("double")
def test_it_learns_what_sac_learns(updates: int, ent_coef: str | float) -> None:
    assert_learns_as_sac(updates, 1e-10, ent_coef=ent_coef)


def test_it_learns_what_sac_learns_in_single_precision() -> None:
    assert_learns_as_sac(20, 2e-5, policy_kwargs={"net_arch": [128, 128]})


@pytest.mark.parametrize(
    "settings",
    [
        {"target_update_interval": 3, "tau": 0.3},
        {"target_entropy": -2.5, "gamma": 0.7, "learning_rate": lambda left: 0.01 * left},
        {"policy_kwargs": {"net_arch": {"pi": [8], "qf": [16, 12, 8]}, "activation_fn": nn.Tanh}},
        {"policy_kwargs": {"net_arch": [], "n_critics": 3}},
        {"policy_kwargs": {"n_critics": 1, "net_arch": [70, 70]}},
        {"policy_kwargs": {"net_arch": [8], "share_features_extractor": True}},
        {"policy_kwargs": {"net_arch": [8], "optimizer_kwargs": {"weight_decay": 0.1, "betas": (0.5, 0.8)}}},
        {"policy_kwargs": {"net_arch": [8], **STANDARDIZED}},
        {"policy_kwargs": {"net_arch": [8], "share_features_extractor": True, **STANDARDIZED}},
        {"n_steps": 3},
        {"replay_buffer_kwargs": {"handle_timeout_termination": False}},
        {
            "replay_buffer_class": MixedReplayBuffer,
            "replay_buffer_kwargs": {"dataset": toy_transitions(), "real_ratio": 0.5},
        },
    ],
    ids=lambda settings: " ".join(settings),
)
@pytest.mark.usefixtures("double")
def test_every_setting_means_what_it_means_to_sac(settings: dict[str, Any]) -> None:
    assert_learns_as_sac(4, 1e-10, calls=2, **settings)


@pytest.mark.parametrize(("ent_coef", "changed"), [("auto", "target_entropy"), (0.2, "ent_coef_tensor")])
@pytest.mark.usefixtures("double")
def test_a_changed_setting_holds_from_the_next_call_on(ent_coef: str | float, changed: str) -> None:
    agents = make(FastSAC, ent_coef=ent_coef), make(SAC, ent_coef=ent_coef)
    for agent in agents:
        agent.set_random_seed(3)
        agent.train(2, batch_size=16)
        setattr(agent, changed, torch.tensor(0.7) if changed == "ent_coef_tensor" else 5.0)
        agent.train(3, batch_size=16)
    assert_same(numbers(agents[0]), numbers(agents[1]), 1e-10)


@pytest.mark.parametrize(("gradient_steps", "updates"), [(3, 27), (-1, 36)])
@pytest.mark.usefixtures("double")
def test_a_complete_run_is_the_same(gradient_steps: int, updates: int) -> None:
    """Actions, episodes and batches follow from the weights, so a run shows every difference.

    40 transitions are 10 cycles of 2 steps of 2 rows, of which the first comes before `learning_starts`.
    """
    runs = []
    for kind in (FastSAC, SAC):
        agent = make(kind, train_freq=2, gradient_steps=gradient_steps, learning_starts=4)
        agent.learn(40)
        assert agent._n_updates == updates
        runs.append(numbers(agent))
    fast, slow = runs
    assert_same(fast, slow, 1e-9)


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = make(FastSAC).learn(30), make(FastSAC).learn(30)
    assert_same(numbers(first), numbers(second), 0)


@pytest.mark.parametrize("ent_coef", ["auto", 0.2])
@pytest.mark.parametrize(("before", "after"), [(SAC, FastSAC), (FastSAC, SAC), (FastSAC, FastSAC)])
@pytest.mark.usefixtures("double")
def test_each_resumes_from_the_others_file(
    before: type[SAC], after: type[SAC], ent_coef: str | float, tmp_path: Path
) -> None:
    agent = make(before, ent_coef=ent_coef)
    agent.train(5, batch_size=16)
    loaded = reloaded(agent, after, tmp_path / "agent.zip")
    assert_same(numbers(loaded), numbers(agent), 0)
    assert loaded._n_updates == 5
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent), 1e-10)
    steps = {float(value) for name, value in numbers(loaded).items() if name.endswith("step")}
    assert steps == {10.0}


@pytest.mark.usefixtures("double")
def test_parameters_that_are_set_between_updates_count() -> None:
    """The weights lie in one vector; values loaded into an existing agent must reach it."""
    fast, slow = make(FastSAC), make(SAC)
    slow.train(3, batch_size=16)
    fast.train(6, batch_size=16)
    fast.set_parameters(deepcopy(slow.get_parameters()))  # type: ignore[arg-type]
    assert fast.log_ent_coef is not None
    assert slow.log_ent_coef is not None
    fast.log_ent_coef.data = slow.log_ent_coef.data.clone()
    for agent in (fast, slow):
        agent.set_random_seed(3)
        agent.train(2, batch_size=16)
    assert_same(numbers(fast), numbers(slow), 1e-10)


def test_a_fresh_optimizer_has_no_moments() -> None:
    """Moments kept from before would be mixed with unrelated gradients."""
    agent, twin = make(FastSAC), make(FastSAC)
    start = deepcopy(agent.get_parameters())
    agent.train(3, batch_size=16)
    agent.set_parameters(start)  # type: ignore[arg-type]
    assert agent.log_ent_coef is not None
    agent.log_ent_coef.data.zero_()
    for each in (agent, twin):
        each.set_random_seed(5)
        each.train(2, batch_size=16)
    assert_same(numbers(agent), numbers(twin), 0)


@pytest.mark.usefixtures("double")
def test_an_interrupted_agent_continues_as_sac_does(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = make(FastSAC), make(SAC)
    for agent in (fast, slow):
        agent.set_random_seed(3)
        buffer = agent.replay_buffer
        assert buffer is not None
        batches = [buffer.sample(16), buffer.sample(16)]
        with monkeypatch.context() as patch:
            patch.setattr(buffer, "sample", lambda *args, batches=batches, **kwargs: batches.pop())
            with pytest.raises(IndexError):
                agent.train(5, batch_size=16)
        agent.train(2, batch_size=16)
    assert_same(numbers(fast), numbers(slow), 1e-10)


def test_an_interrupted_agent_has_drawn_the_batches_that_it_took() -> None:
    interrupted, plain = make(FastSAC, **MIXED), make(FastSAC, **MIXED)
    batch, taken = interrupted._batch, list[int]()

    def interrupt(samples: ReplayBufferSamples) -> SACBatch:
        taken.append(len(samples.rewards))
        if len(taken) == 3:
            raise KeyboardInterrupt
        return batch(samples)

    interrupted._batch = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        interrupted.train(5, batch_size=16)
    plain.train(3, batch_size=16)
    buffers = interrupted.replay_buffer, plain.replay_buffer
    assert all(isinstance(buffer, MixedReplayBuffer) for buffer in buffers)
    one, other = (cast(MixedReplayBuffer, buffer).sample(16) for buffer in buffers)
    assert all(torch.equal(*pair) for pair in zip(one[:5], other[:5], strict=True))


class OwnExtractor(FlattenExtractor):
    """It could do anything in its `forward`."""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_sde": True}, "independent noise, got use_sde=True"),
        ({"policy_kwargs": {"activation_fn": nn.ELU}}, "ReLU or Tanh as activation_fn, got ELU"),
        (
            {"policy_kwargs": {"features_extractor_class": OwnExtractor}},
            "FlattenExtractor or StandardizedObs as features_extractor_class, got OwnExtractor",
        ),
        ({"policy_kwargs": {"optimizer_class": torch.optim.SGD}}, "plain torch.optim.Adam, got SGD"),
        ({"policy_kwargs": {"optimizer_kwargs": {"amsgrad": True}}}, "plain .* got Adam with amsgrad=True"),
    ],
)
def test_other_gradient_steps_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"{message}.*Use stable_baselines3.SAC"):
        make(FastSAC, **settings)


def test_both_kinds_of_sb3_buffer_were_tested() -> None:
    assert type(make(FastSAC).replay_buffer) is ReplayBuffer
    assert type(make(FastSAC, n_steps=3).replay_buffer) is NStepReplayBuffer


def test_images_are_refused() -> None:
    class Camera(gym.Env[Any, Any]):
        observation_space = Box(0, 255, (3, 36, 36), np.uint8)
        action_space = Box(-1, 1, (1,), np.float32)

    with pytest.raises(SettingsError, match="not an image"):
        FastSAC("CnnPolicy", Camera(), buffer_size=10, device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")
def test_a_captured_step_is_the_same_step() -> None:
    fast, slow = make(FastSAC, device="cuda"), make(SAC, device="cuda")
    for agent in (fast, slow):
        agent.set_random_seed(3)
        agent.train(10, batch_size=16)
        agent.train(10, batch_size=16)
    (graph,) = fast._graphs.values()
    assert graph._replay is not None
    assert_same(numbers(fast), numbers(slow), 1e-4)


def test_a_graph_from_the_numbers_of_rows_on_is_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it reads on the host may change between calls: the discount, and a ring that fills."""
    use_fake_graphs(monkeypatch)
    eager, captured = make(FastSAC, **MIXED), make(FastSAC, **MIXED)
    kept: list[Any] = []
    for agent in (eager, captured):
        monkeypatch.setattr(fast_sac, "captures", lambda device, agent=agent: agent is captured)
        agent.set_random_seed(3)
        buffer = agent.replay_buffer
        assert buffer is not None
        rings = buffer.pos, buffer.full
        for gamma, (pos, full) in ((0.99, rings), (0.9, rings), (0.9, (0, False)), (0.9, rings)):
            agent.gamma, buffer.pos, buffer.full = gamma, pos, full
            agent.train(7, batch_size=16)
            kept += agent._graphs.values()
    assert len(set(kept)) == len(kept) == 4
    assert_same(numbers(captured), numbers(eager))
    assert captured.logger.name_to_value == eager.logger.name_to_value


def test_a_normalised_or_overridden_buffer_is_asked_for_each_batch() -> None:
    class Own(MixedReplayBuffer):
        def sample(self, *args: Any, **kwargs: Any) -> Any:
            asked.append(self)
            return super().sample(*args, **kwargs)

    asked: list[Any] = []
    plain, own = make(FastSAC, **MIXED), make(FastSAC, **MIXED | {"replay_buffer_class": Own})
    for agent in (plain, own):
        agent.set_random_seed(3)
        agent.train(3, batch_size=16)
    assert len(asked) == 3
    assert_same(numbers(own), numbers(plain))

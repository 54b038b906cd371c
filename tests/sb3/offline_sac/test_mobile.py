from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import wrappers
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from offline_envs.dynamics import save_model
from offline_envs.errors import SettingsError
from offline_envs.sb3 import (
    MOBILE,
    FastSAC,
    MixedReplayBuffer,
    SB3VecEnv,
    standardized_by,
    with_device_rollouts,
    with_uniform_rollouts,
)
from offline_envs.sb3.fast_sac import fast_sac
from offline_envs.sb3.fast_sac.fast_sac import _seed_after
from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACStep
from offline_envs.sb3.offline_sac.mobile import ClampedStep, _call
from offline_envs.wrappers.vector import UncertaintyPenalty
from tests.fake_graph import use_fake_graphs
from tests.sb3.device_toy import make_envs
from tests.sb3.fast_sac.agents import assert_same, numbers
from tests.sb3.offline_sac.test_inconsistency import measure_of, plain_loop
from tests.toy import right_of_six, toy_ensemble, toy_options, toy_transitions

PLAIN = ("LearnedModel-v0", toy_options(termination=right_of_six))
BATCH = 8  # of which half are rows of the dataset
OPTIONS: dict[str, Any] = {
    "train_freq": 4,
    "gradient_steps": 2,
    "learning_starts": 0,
    "batch_size": BATCH,
    "buffer_size": 2000,
    "seed": 0,
    "policy_kwargs": {"net_arch": [8]},
    "replay_buffer_class": MixedReplayBuffer,
    "replay_buffer_kwargs": {"dataset": toy_transitions(), "real_ratio": 0.5},
    "device": "cpu",
}


def envs_of(output: str = "numpy", **changes: Any) -> SB3VecEnv:
    env_id, options = PLAIN
    return SB3VecEnv(make_envs((env_id, {**options, **changes}), output=output))


def mobile(agent: type[Any] = MOBILE, env: Any = None, **options: Any) -> Any:
    """A tiny agent in the toy model."""
    made = agent("MlpPolicy", env or envs_of(), **{**OPTIONS, **options})
    made.set_logger(configure(None, []))
    return made


def learned(agent: type[Any] = MOBILE, timesteps: int = 240, **options: Any) -> Any:
    """Three cycles of 80 transitions and two gradient steps."""
    return mobile(agent, **options).learn(timesteps, log_interval=None)


def test_without_a_weight_it_is_fast_sac_to_the_bit() -> None:
    ours, our_stream = numbers(learned(inconsistency_coef=0.0)), torch.get_rng_state()
    agent = learned(FastSAC)
    assert agent._n_updates == 6
    assert_same(ours, numbers(agent))
    assert torch.equal(our_stream, torch.get_rng_state())


def test_with_a_weight_it_learns_something_else_from_the_same_random_numbers() -> None:
    with_weight, without = learned(inconsistency_coef=1.0), learned(inconsistency_coef=0.0)
    assert with_weight.logger.name_to_value["train/inconsistency"] > 0
    assert "train/inconsistency" not in without.logger.name_to_value
    assert not torch.equal(*(numbers(agent)["policy actor.mu.weight"] for agent in (with_weight, without)))
    # The first transitions come before the first gradient step.
    rewards = [agent.replay_buffer._rows[:80, -1] for agent in (with_weight, without)]
    assert torch.equal(*rewards)


@pytest.mark.parametrize(("of", "factor"), [("targets", 0.9), ("values", 1.0)])
def test_rows_of_the_model_lose_beta_times_u_and_those_of_the_dataset_nothing(
    of: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = learned(inconsistency_coef=0.5, n_successors=3, inconsistency_of=of, gamma=0.9)
    twin = learned(inconsistency_coef=0.0, gamma=0.9)
    twin.replay_buffer = agent.replay_buffer
    twin.policy.load_state_dict(agent.policy.state_dict())
    batches: dict[Any, SACBatch] = {}
    for each in (agent, twin):
        state, rows = torch.get_rng_state(), each.replay_buffer.generator.bit_generator.state
        monkeypatch.setattr(SACStep, "__call__", lambda step, batch, each=each: _kept(batches, each, batch))
        each.train(1, batch_size=BATCH)
        torch.set_rng_state(state)
        each.replay_buffer.generator.bit_generator.state = rows
    penalised, plain = batches[agent], batches[twin]
    for ours, theirs in zip(penalised._replace(reward=plain.reward), plain, strict=True):
        assert torch.equal(ours, theirs)
    loss = plain.reward - penalised.reward
    n_real = BATCH // 2
    assert plain.real[:, 0].tolist() == [1.0] * n_real + [0.0] * (BATCH - n_real)
    assert torch.equal(loss[:n_real], torch.zeros(n_real, 1))
    obs, action = plain.obs[n_real:], plain.action[n_real:]
    model = agent.env.env.unwrapped.ensemble
    generator = torch.Generator().manual_seed(_seed_after(agent._n_updates - 1))
    noise = measure_of(agent, model).draw(BATCH - n_real, 3, generator)
    expected = plain_loop(agent, model, obs, action, noise)
    assert expected.min() > 1e-4
    torch.testing.assert_close(loss[n_real:], 0.5 * factor * expected, rtol=1e-3, atol=1e-6)
    logged = agent.logger.name_to_value["train/inconsistency"]
    assert logged == pytest.approx(factor * float(expected.mean()), rel=1e-3)


def _kept(batches: dict[Any, SACBatch], agent: Any, batch: SACBatch) -> dict[str, torch.Tensor]:
    batches[agent] = batch
    return {"critic_loss": torch.zeros(())}


def test_all_rows_of_another_buffer_are_the_models() -> None:
    agent = learned(replay_buffer_class=ReplayBuffer, replay_buffer_kwargs={})
    seen: list[int] = []
    measured: Any = agent._measured

    def counted(obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        seen.append(len(obs))
        found: torch.Tensor = measured(obs, action)
        return found

    agent._measured = counted
    agent.train(1, batch_size=BATCH)
    assert seen == [BATCH]


def test_an_empty_ring_has_nothing_to_penalise() -> None:
    agents = mobile(inconsistency_coef=2.0), mobile(FastSAC)
    for agent in agents:
        agent.set_random_seed(3)
        agent.train(3, batch_size=BATCH)
    assert_same(numbers(agents[0]), numbers(agents[1]))


def test_targets_may_be_kept_above_zero() -> None:
    rewards = torch.tensor([[-5.0], [5.0]])
    for clamped, expected in ((True, [0.0, 5.0]), (False, [-5.0, 5.0])):
        agent = learned(clamp_target=clamped)
        step: SACStep = agent._gradient_step
        assert isinstance(step, ClampedStep) == clamped
        zeros, ended = torch.zeros(2, 2), torch.zeros(2, 1)
        batch = SACBatch(zeros, ended, zeros, rewards, ended, torch.zeros(4, 1), ended)
        assert step._target(batch, ended, ended, torch.tensor(0.2))[:, 0].tolist() == expected


def test_the_graph_of_a_gpu_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_graphs(monkeypatch)
    measure = learned()._inconsistency
    captured, generator = _call(measure, torch.device("cuda")), torch.Generator().manual_seed(0)
    for number in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        obs, action = torch.full((3, 2), number), torch.zeros(3, 1)
        noise = measure.draw(3, 2, generator)
        assert torch.equal(captured(obs, action, *noise), measure(obs, action, noise))


def test_in_the_graph_of_a_whole_gradient_step_it_gives_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fake_graphs(monkeypatch)
    eager, captured = learned(), learned()
    for agent in (eager, captured):
        monkeypatch.setattr(fast_sac, "captures", lambda device, agent=agent: agent is captured)
        agent.set_random_seed(3)
        agent.train(6, batch_size=BATCH)
        agent.inconsistency_coef, agent.gamma = 0.5, 0.9
        agent.train(6, batch_size=BATCH)
    assert captured._graphs
    assert_same(numbers(captured), numbers(eager))
    assert captured.logger.name_to_value == eager.logger.name_to_value


def test_the_weight_may_change_between_gradient_steps() -> None:
    """So it can be annealed."""
    agent = learned(inconsistency_coef=0.0)
    agent.inconsistency_coef = 1.0
    agent.train(1, batch_size=BATCH)
    assert agent.logger.name_to_value["train/inconsistency"] > 0
    agent.logger.name_to_value.clear()
    agent.inconsistency_coef = 0.0
    agent.train(1, batch_size=BATCH)
    assert "train/inconsistency" not in agent.logger.name_to_value


def test_it_resumes_exactly_and_its_file_holds_no_model(tmp_path: Path) -> None:
    agent = learned(env=envs_of(model=toy_ensemble()), model=toy_ensemble())
    agent.save(tmp_path / "agent.zip")
    assert (tmp_path / "agent.zip").stat().st_size < 60_000
    alone = MOBILE.load(tmp_path / "agent.zip", device="cpu")
    obs = np.ones((5, 2), np.float32)
    assert np.array_equal(
        alone.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0]
    )
    loaded: Any = MOBILE.load(tmp_path / "agent.zip", env=agent.get_env(), device="cpu")
    assert (loaded.inconsistency_coef, loaded.n_successors, loaded.model) == (1.0, 10, None)
    loaded.replay_buffer = agent.replay_buffer
    loaded.set_logger(configure(None, []))
    rows = agent.replay_buffer.generator.bit_generator.state
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.replay_buffer.generator.bit_generator.state = rows
        each.train(5, batch_size=BATCH)
    assert_same(numbers(loaded), numbers(agent))


def test_training_asks_for_a_model(tmp_path: Path) -> None:
    learned().save(tmp_path / "agent.zip")
    alone = MOBILE.load(tmp_path / "agent.zip", device="cpu")
    with pytest.raises(SettingsError, match="trains with a model, and None has none"):
        alone.learn(10)
    single = gym.make("LearnedModel-v0", max_episode_steps=3, **PLAIN[1])
    real = wrappers.TransformObservation(single, lambda obs: obs, single.observation_space)
    for env, message in (
        (DummyVecEnv([lambda: _NotLearned(single)]), "_NotLearned.* has none. Train it in a learned"),
        (DummyVecEnv([lambda: real]), "but TransformObservation is in between"),
        (VecNormalize(envs_of()), "VecNormalize rescales"),
    ):
        with pytest.raises(SettingsError, match=message):
            mobile(env=env).learn(10)


class _NotLearned(gym.Env[Any, Any]):
    """Looks like the toy, and has no model."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.reset = env.reset  # type: ignore[method-assign]
        self.step = env.step  # type: ignore[method-assign]


def test_a_model_may_be_given_for_any_environment(tmp_path: Path) -> None:
    save_model(tmp_path / "model", toy_ensemble())
    single = gym.make("LearnedModel-v0", max_episode_steps=3, **PLAIN[1])
    runs = []
    for model in (toy_ensemble(), tmp_path / "model"):
        agent = mobile(env=DummyVecEnv([lambda: Monitor(_NotLearned(single))]), model=model)
        agent.learn(12, log_interval=None)
        assert agent.logger.name_to_value["train/inconsistency"] > 0
        runs.append(agent)
    assert runs[1].model == str(tmp_path / "model")
    with pytest.raises(SettingsError, match="9 observation and 1 action"):
        mobile(env=envs_of(), model=toy_ensemble(((0.0,) * 10,) * 3, ((1.0,) * 10,) * 3)).learn(40)


def test_wrappers_that_change_only_rewards_may_be_in_between() -> None:
    env = gym.make("LearnedModel-v0", max_episode_steps=3, **PLAIN[1])
    for vec_env in (
        SB3VecEnv(UncertaintyPenalty(make_envs(PLAIN, output="numpy"))),
        DummyVecEnv([lambda: Monitor(env)]),
    ):
        assert mobile(env=vec_env, inconsistency_coef=1.0).learn(80)._inconsistency.model is not None


def test_another_environment_brings_its_own_model() -> None:
    agent = learned()
    first = agent._inconsistency.model
    agent.set_env(envs_of(model=toy_ensemble()))
    agent.learn(80, log_interval=None)
    assert agent._inconsistency.model is agent.env.env.unwrapped.ensemble
    assert agent._inconsistency.model is not first


@pytest.mark.parametrize("with_other", [with_device_rollouts, with_uniform_rollouts])
def test_it_collects_in_every_way(with_other: Any) -> None:
    output = "torch" if with_other is with_device_rollouts else "numpy"
    agent = learned(with_other(MOBILE), env=envs_of(output))
    assert agent._n_updates == 6
    assert agent.logger.name_to_value["train/inconsistency"] > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inconsistency_coef": -1.0}, "inconsistency_coef must be at least 0, got -1"),
        ({"n_successors": 0}, "n_successors must be at least 1, got 0"),
        ({"inconsistency_of": "rewards"}, "Unknown inconsistency_of 'rewards'"),
        ({"inconsistency_coef": "high"}, "inconsistency_coef must be of type float, got 'high'"),
        ({"policy_kwargs": standardized_by(toy_transitions())}, "StandardizedObs .* cannot be used"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        mobile(**settings)


def test_a_model_with_a_single_elite_is_refused() -> None:
    with pytest.raises(SettingsError, match="two or more, got 1"):
        learned(env=envs_of(model=toy_ensemble(elites=(1,))))

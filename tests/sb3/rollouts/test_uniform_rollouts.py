import copy
import inspect
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.errors import SettingsError
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, agent_class, evaluate_in, with_uniform_rollouts
from offline_envs.sb3.rollouts.uniform_rollouts import UniformRollouts
from tests.sb3.toy import WITH_CRITICS, CountingVectorEnv, toy_transitions

LOW, HIGH = np.array([-2, -1], np.float32), np.array([1, 3], np.float32)
MIDDLE, HALF = np.array([-0.5, 1.0]), np.array([1.5, 2.0])
"""Middle and half width of the bounds: an executed action is `MIDDLE + HALF * stored`."""


class RecordingVectorEnv(CountingVectorEnv):
    """Records the actions that it receives, two numbers a row with different bounds."""

    def __init__(self, n_envs: int) -> None:
        super().__init__([9] * n_envs, horizon=5)
        self.single_action_space = Box(LOW, HIGH)
        self.action_space = batch_space(self.single_action_space, n_envs)
        self.received: list[NDArray[np.float32]] = []

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        self.received.append(actions.copy())
        return super().step(actions)


def make(agent: type[Any], n_envs: int = 4, **options: Any) -> tuple[Any, RecordingVectorEnv]:
    """An agent that takes a gradient step after each step of all rows, and its environment."""
    env = RecordingVectorEnv(n_envs)
    settings = {"buffer_size": 100 * n_envs, "batch_size": 8, "learning_starts": 0, "seed": 0, **options}
    vec_env = SB3VecEnv(env)
    return agent("MlpPolicy", vec_env, device="cpu", policy_kwargs={"net_arch": [8]}, **settings), env


def saturate(agent: Any) -> None:
    """Let the policy choose the upper bounds everywhere."""
    with torch.no_grad():
        for parameter in agent.actor.parameters():
            parameter.fill_(5.0)


def executed(agent: Any, env: RecordingVectorEnv, steps: int) -> NDArray[np.float32]:
    """Actions that reached the environment, `(steps, n_envs, 2)`."""
    agent.learn(steps * env.num_envs, log_interval=10**9)
    return np.stack(env.received)


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_what_is_stored_was_executed_and_is_learned_from(name: str) -> None:
    agent, env = make(with_uniform_rollouts(agent_class(name)))
    before = {key: value.clone() for key, value in agent.actor.state_dict().items()}
    actions = executed(agent, env, steps=12)
    np.testing.assert_allclose(actions, MIDDLE + HALF * agent.replay_buffer.actions[:12], atol=1e-6)
    assert len(np.unique(actions)) == actions.size
    assert agent._n_updates == 12
    assert any(not torch.equal(before[key], value) for key, value in agent.actor.state_dict().items())


def test_the_mixed_buffer_holds_what_was_executed() -> None:
    env = RecordingVectorEnv(4)
    toy = toy_transitions()
    wide = type(toy)(**{**vars(toy), "actions": torch.zeros(8, 2), "action_space": Box(LOW, HIGH)})
    agent = with_uniform_rollouts(SAC)(
        "MlpPolicy",
        SB3VecEnv(env),
        buffer_size=400,
        batch_size=64,
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": wide, "real_ratio": 0.0},
        learning_starts=0,
        device="cpu",
        seed=0,
    )
    actions = executed(agent, env, steps=5)
    assert agent.replay_buffer is not None
    batch = agent.replay_buffer.sample(100)
    rows, times = batch.observations.long().numpy().T  # the observations of `CountingVectorEnv`
    np.testing.assert_allclose(actions[times, rows], MIDDLE + HALF * batch.actions.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_actions_are_uniform_whatever_the_policy_does(name: str) -> None:
    """The Kolmogorov-Smirnov distance of 4000 uniform draws exceeds 1.63 / √4000 once in a hundred seeds."""
    agent, env = make(with_uniform_rollouts(agent_class(name)), n_envs=200, gradient_steps=0)
    saturate(agent)
    actions = executed(agent, env, steps=20)
    assert np.all((actions >= LOW) & (actions <= HIGH))
    shares = (actions.reshape(-1, 2) - LOW) / (HIGH - LOW)
    ranks = (np.arange(4000) + 0.5) / 4000
    for column in shares.T:
        assert np.abs(np.sort(column) - ranks).max() < 1.63 / np.sqrt(4000)
    for first, second in (
        (shares[:, 0], shares[:, 1]),  # two dimensions of a row
        (shares[:-200, 0], shares[200:, 0]),  # a row at two steps
        (shares[:-1, 0], shares[1:, 0]),  # two rows at a step
    ):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.06


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_predictions_are_those_of_the_policy(name: str) -> None:
    agent, _ = make(with_uniform_rollouts(agent_class(name)), gradient_steps=0)
    agent.learn(8)
    saturate(agent)
    action, _ = agent.predict(np.ones((3, 2), np.float32), deterministic=True)
    np.testing.assert_allclose(action, np.tile(HIGH, (3, 1)), atol=0.01)


def test_an_evaluation_uses_the_policy() -> None:
    """Pendulum's reward falls with the squared torque, so other actions have another return."""
    env, found = gym.make("Pendulum-v1"), []
    for agent_type in (SAC, with_uniform_rollouts(SAC)):
        agent = agent_type("MlpPolicy", "Pendulum-v1", device="cpu", seed=0)
        found.append(evaluate_in(env, agent, n_episodes=1, seed=0).mean)
    env.close()
    assert found[0] == found[1]


def test_actions_depend_on_the_seed_and_not_on_the_policy() -> None:
    uniform = with_uniform_rollouts(SAC)
    runs = []
    for seed, saturated in ((3, False), (3, True), (4, False)):
        agent, env = make(uniform, seed=seed)
        if saturated:
            saturate(agent)
        runs.append(executed(agent, env, steps=5))
    assert np.array_equal(runs[0], runs[1])
    assert not np.any(runs[0] == runs[2])


def test_learning_starts_after_the_set_number_of_transitions() -> None:
    agent, env = make(with_uniform_rollouts(SAC), learning_starts=20)
    executed(agent, env, steps=8)  # After 24, 28 and 32 transitions; 20 are not more than 20.
    assert agent._n_updates == 3


def test_files_are_those_of_the_plain_agent(tmp_path: Path) -> None:
    uniform, _ = make(with_uniform_rollouts(SAC))
    uniform.learn(16)
    assert vars(uniform).keys() == vars(make(SAC)[0].learn(16)).keys()
    uniform.save(tmp_path / "uniform.zip")
    plain = SAC.load(tmp_path / "uniform.zip", device="cpu")
    assert type(plain) is SAC
    obs = np.ones((2, 2), np.float32)
    expected = uniform.predict(obs, deterministic=True)[0]
    assert np.array_equal(plain.predict(obs, deterministic=True)[0], expected)
    plain.save(tmp_path / "plain.zip")
    env = RecordingVectorEnv(4)
    again = with_uniform_rollouts(SAC).load(tmp_path / "plain.zip", env=SB3VecEnv(env), device="cpu")
    assert np.array_equal(again.predict(obs, deterministic=True)[0], expected)
    saturate(again)
    again.gradient_steps = 0
    assert executed(again, env, steps=50).mean(axis=(0, 1)) == pytest.approx(MIDDLE, abs=0.3)


def test_a_copy_draws_the_same_actions() -> None:
    agent, _ = make(with_uniform_rollouts(SAC))
    twin = copy.deepcopy(agent)
    assert type(twin) is type(agent)
    assert np.array_equal(agent._sample_action(0, None, 4), twin._sample_action(0, None, 4))


def test_there_is_one_class_for_an_agent() -> None:
    uniform = with_uniform_rollouts(SAC)
    assert with_uniform_rollouts(SAC) is uniform
    assert with_uniform_rollouts(uniform) is uniform
    assert uniform.__name__ == "SACWithUniformRollouts"


def test_a_custom_exploration_is_replaced() -> None:
    class Cautious(SAC):
        def _sample_action(self, *args: Any, **kwargs: Any) -> Any:
            pytest.fail("the agent's own exploration was called")

    agent, env = make(with_uniform_rollouts(Cautious))
    assert np.ptp(executed(agent, env, steps=5)) > 1


def test_gsde_learns_without_acting() -> None:
    agent, env = make(with_uniform_rollouts(SAC), use_sde=True, use_sde_at_warmup=True)
    other, other_env = make(with_uniform_rollouts(SAC))
    assert np.array_equal(executed(agent, env, steps=5), executed(other, other_env, steps=5))


def test_agents_that_cannot_are_refused() -> None:
    with pytest.raises(SettingsError, match="PPO learns from actions of its own policy"):
        with_uniform_rollouts(PPO)


def test_noise_on_top_is_refused(tmp_path: Path) -> None:
    noise, uniform = NormalActionNoise(np.zeros(2), np.ones(2)), with_uniform_rollouts(TD3)
    with pytest.raises(SettingsError, match="action_noise must be None with uniform rollouts, got Normal"):
        make(uniform, action_noise=noise)
    make(TD3, action_noise=noise)[0].save(tmp_path / "noisy.zip")
    with pytest.raises(SettingsError, match=r"load\(\.\.\., action_noise=None\)"):
        uniform.load(tmp_path / "noisy.zip", device="cpu")
    assert uniform.load(tmp_path / "noisy.zip", device="cpu", action_noise=None).action_noise is None


@pytest.mark.parametrize("name", ["_sample_action", "_setup_model"])
def test_sb3_still_has_what_is_overridden(name: str) -> None:
    """These are private: after a change in SB3 the policy would silently choose the actions."""
    theirs = inspect.signature(getattr(OffPolicyAlgorithm, name)).parameters
    assert list(theirs) == list(inspect.signature(getattr(UniformRollouts, name)).parameters)
    assert f"self.{name}(" in inspect.getsource(OffPolicyAlgorithm) + inspect.getsource(SAC)

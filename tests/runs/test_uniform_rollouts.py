"""Runs whose imagined episodes have uniform actions."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from stable_baselines3 import SAC
from torch import Tensor

from offline_envs.data import load_transitions
from offline_envs.runs import RunFolder, TrainSettings, train
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import MixedReplayBuffer, SB3ActorCritic, SB3VecEnv, evaluate_in
from tests.runs.resuming.test_resume import signalled
from tests.runs.tiny import tiny_settings

Actions = list[NDArray[Any]]

SEEDED_WITH_0 = np.random.Generator(np.random.PCG64(np.random.SeedSequence(0))).uniform(-1, 1, (6, 4, 1))
"""The six steps of a tiny run: SB3 seeds the generator of the action space with the agent's seed."""


@pytest.fixture
def uniform(tiny_model: Path) -> TrainSettings:
    return tiny_settings(model=str(tiny_model), rollout_actions="uniform")


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Actions:
    """Actions that reach the model, a step each."""
    seen: Actions = []
    step_async = SB3VecEnv.step_async

    def noted(self: SB3VecEnv, actions: NDArray[Any]) -> None:
        seen.append(actions.copy())
        step_async(self, actions)

    monkeypatch.setattr(SB3VecEnv, "step_async", noted)
    return seen


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Actions:
    """Actions that reach the replay buffer, a step each."""
    seen: Actions = []
    add = MixedReplayBuffer.add

    def noted(self: MixedReplayBuffer, obs: Any, next_obs: Any, action: NDArray[Any], *rest: Any) -> None:
        seen.append(action.copy())
        add(self, obs, next_obs, action, *rest)

    monkeypatch.setattr(MixedReplayBuffer, "add", noted)
    return seen


def test_the_setting_reaches_the_model_and_the_buffer(
    uniform: TrainSettings, executed: Actions, stored: Actions, tmp_path: Path
) -> None:
    """The pendulum's actions lie in [-1, 1], so both are the same numbers."""
    assert train(uniform, tmp_path / "a", show_progress=False).gradient_steps == 6
    assert [actions.shape for actions in executed] == [(4, 1)] * 6
    np.testing.assert_allclose(executed, stored, atol=1e-7)
    np.testing.assert_allclose(executed, SEEDED_WITH_0, atol=1e-7)


def test_the_policy_is_what_is_scored_and_saved(uniform: TrainSettings, tmp_path: Path) -> None:
    result = train(uniform, tmp_path, show_progress=False)
    policy = SAC.load(RunFolder(tmp_path).policies / "last_policy.zip", device="cpu")
    env = load_transitions(uniform.dataset).make_env()
    real = evaluate_in(env, policy, n_episodes=2, seed=FINAL_SEED)
    env.close()
    assert (result.real_return, result.real_std) == pytest.approx((real.mean, real.std))
    assert RunFolder(tmp_path).settings().rollout_actions == "uniform"


@pytest.mark.parametrize("agent", ["td3", "ddpg", "tqc", "crossq"])
def test_other_agents_roll_out_the_same_actions(
    agent: str, uniform: TrainSettings, executed: Actions, tmp_path: Path
) -> None:
    settings = TrainSettings.from_json({**uniform.to_json(), "agent": agent, "eval_every": 100})
    assert train(settings, tmp_path, show_progress=False).gradient_steps == 6
    np.testing.assert_allclose(executed, SEEDED_WITH_0, atol=1e-7)


def test_a_resumed_run_draws_on_and_not_the_same_again(
    uniform: TrainSettings, executed: Actions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SAC, "predict", never_to_explore)
    with signalled(signal.SIGINT, at_step=3), pytest.raises(KeyboardInterrupt):
        train(uniform, tmp_path, show_progress=False)
    assert train(uniform, tmp_path, show_progress=False, resume=True).gradient_steps == 6
    assert len(executed) == 6
    assert len(np.unique(executed)) == 6 * 4
    train(uniform, Path(f"{tmp_path}-whole"), show_progress=False)
    np.testing.assert_array_equal(executed[:6], executed[6:])


def never_to_explore(
    self: Any, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
) -> Any:
    """`predict` of an agent that is only asked for its best action."""
    assert deterministic, "the policy was asked to explore"
    return self.policy.predict(observation, state, episode_start, deterministic)


def test_rambos_adversary_follows_the_policy_all_the_same(
    uniform: TrainSettings, executed: Actions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in its release, where `rollout_random` changes the agent's rollouts and not the adversary's."""
    asked: list[int] = []
    act = SB3ActorCritic.act

    def noted(self: SB3ActorCritic, obs: Tensor) -> Tensor:
        asked.append(len(obs))
        return act(self, obs)

    monkeypatch.setattr(SB3ActorCritic, "act", noted)
    changes = {"algorithm": "rambo", "adversary_every": 2, "adversary": {"batch_size": 8, "horizon": 2}}
    settings = TrainSettings.from_json({**uniform.to_json(), **changes})
    assert train(settings, tmp_path, show_progress=False).gradient_steps == 6
    np.testing.assert_allclose(executed, SEEDED_WITH_0, atol=1e-7)
    assert asked == [8] * 6  # one batch for each of its steps, as many as the agent takes

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.collect import CollectSettings, Kind, learning
from offline_envs.collect.agents import new_agent
from offline_envs.collect.recorded_phase import RecordedPhase

SETTINGS = CollectSettings(Kind.REPLAY, 300, agent="td3", net_arch=(8,))


def make_phase(folder: Path, *, stop_at: int | None = None) -> RecordedPhase:
    """A phase of 300 steps in episodes of 25."""
    calls: list[None] = []

    def on_step() -> None:
        calls.append(None)
        if len(calls) == stop_at:
            raise KeyboardInterrupt

    env = gym.make("Pendulum-v1", max_episode_steps=25)
    return RecordedPhase(
        folder / "unfinished" / "recording", env, steps=300, checkpoint_steps=60, on_step=on_step
    )


def test_a_resumed_agent_has_the_replay_buffer_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its actions are stored separately: recomputed from the environment's, TD3's would differ."""
    agents: list[OffPolicyAlgorithm] = []

    def remember(settings: CollectSettings, env: gym.Env[Any, Any], *, steps: int) -> OffPolicyAlgorithm:
        agents.append(new_agent(settings, env, steps=steps))
        return agents[0]

    monkeypatch.setattr(learning, "new_agent", remember)
    with pytest.raises(KeyboardInterrupt):
        learning.learn(make_phase(tmp_path, stop_at=280), SETTINGS)
    phase = make_phase(tmp_path)
    ours, theirs = agents[0].replay_buffer, learning._resumed(phase, SETTINGS).replay_buffer
    assert ours is not None
    assert theirs is not None
    assert phase.done == theirs.pos == 225  # Ends of episodes 75, 150, 225: the first after 60, 135, 210.
    for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts"):
        np.testing.assert_array_equal(getattr(ours, name)[:225], getattr(theirs, name)[:225], err_msg=name)
    assert ours.timeouts[:225].sum() == 9
    policy = agents[0].policy
    rounded_twice = policy.scale_action(policy.unscale_action(ours.actions[:225]))
    assert not np.array_equal(rounded_twice, ours.actions[:225])


def test_a_training_that_is_complete_is_left_alone(tmp_path: Path) -> None:
    learning.learn(make_phase(tmp_path), SETTINGS)
    learning.learn(make_phase(tmp_path, stop_at=1), SETTINGS)

"""Laws over every known id, and the lookup by exact id."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec

from offline_envs.errors import SettingsError
from offline_envs.tasks import KNOWN_RULES, TerminationRule, known_tasks, never, termination_rule

MakeEnv = Callable[..., gym.Env[Any, Any]]

MADE_NOWHERE = {"Pusher-v4"}  # Gymnasium refuses it with MuJoCo 3 and later.
N_STEPS = 200


def rule_of(env_id: str, **kwargs: Any) -> TerminationRule:
    rule = termination_rule(EnvSpec(env_id, entry_point="unused:Unused", kwargs=kwargs))
    assert rule is not None
    return rule


@pytest.mark.parametrize("env_id", sorted(set(KNOWN_RULES) - MADE_NOWHERE))
def test_agrees_with_real_steps(make_env: MakeEnv, env_id: str) -> None:
    env = make_env(env_id)
    env.action_space.seed(0)
    obs, _ = env.reset(seed=0)
    before, actions, after, ends = [], [], [], []
    for _ in range(N_STEPS):
        action = env.action_space.sample()
        next_obs, _, terminated, truncated, _ = env.step(action)
        before.append(np.array(obs))
        actions.append(action)
        after.append(np.array(next_obs))
        ends.append(terminated)
        obs = env.reset()[0] if terminated or truncated else next_obs
    arrays = [torch.tensor(np.stack(rows)) for rows in (before, actions, after)]
    assert env.spec is not None
    rule = termination_rule(env.spec)
    assert rule is not None
    assert rule(*arrays).tolist() == ends
    assert rule(*(array.float() for array in arrays)).tolist() == ends


@pytest.mark.parametrize(
    "env_id", ["Hopper-v5", "Walker2d-v5", "InvertedPendulum-v5", "InvertedDoublePendulum-v5"]
)
def test_random_steps_contain_ends(make_env: MakeEnv, env_id: str) -> None:
    """Guards the test above against a rule that agrees only because it never fires."""
    env = make_env(env_id)
    env.action_space.seed(0)
    env.reset(seed=0)
    assert any(env.step(env.action_space.sample())[2] for _ in range(N_STEPS))


@pytest.mark.parametrize(
    "settings", [{}, {"healthy_z_range": (0.5, 0.8)}, {"terminate_when_unhealthy": False, "degrees": 90}]
)
def test_a_task_ends_as_its_base_with_the_same_settings(make_env: MakeEnv, settings: dict[str, Any]) -> None:
    env = make_env("AntAngle-v0", **settings)
    env.action_space.seed(1)
    env.reset(seed=1)
    after, ends = [], []
    for _ in range(600):
        next_obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        after.append(np.array(next_obs))
        ends.append(terminated)
        if terminated or truncated:
            env.reset()
    assert any(ends) == settings.get("terminate_when_unhealthy", True)
    assert env.spec is not None
    rule = termination_rule(env.spec)
    assert rule is not None
    rows = torch.tensor(np.stack(after))
    assert rule(rows, rows[:, :8], rows).tolist() == ends
    assert rule(rows.float(), rows[:, :8].float(), rows.float()).tolist() == ends


def test_every_task_has_the_rule_of_its_base() -> None:
    rows = torch.linspace(-2, 2, 300).reshape(10, 30)
    for task in known_tasks():
        ends = rule_of(task.env_id, task=task.name)(rows, rows, rows)
        assert torch.equal(ends, rule_of(task.base_env_id, **task.base_kwargs)(rows, rows, rows))


@pytest.mark.parametrize("env_id", sorted(KNOWN_RULES))
def test_reads_no_value_on_the_host(env_id: str) -> None:
    """Tensors on the meta device have no values, so that a hidden `.item()` or `if tensor` raises."""
    next_obs = torch.empty(7, 30, device="meta")
    terminated = rule_of(env_id)(next_obs, torch.empty(7, 2, device="meta"), next_obs)
    assert terminated.shape == (7,)
    assert terminated.dtype == torch.bool
    assert terminated.device.type == "meta"


@pytest.mark.parametrize("env_id", sorted(KNOWN_RULES))
def test_takes_an_empty_batch_and_leaves_its_input(env_id: str) -> None:
    rule = rule_of(env_id)
    assert rule(torch.zeros(0, 30), torch.zeros(0, 2), torch.zeros(0, 30)).shape == (0,)
    next_obs = torch.linspace(-3, 3, 60).reshape(2, 30)
    copy = next_obs.clone()
    rule(next_obs, torch.zeros(2, 2), next_obs)
    assert torch.equal(next_obs, copy)


@pytest.mark.parametrize("env_id", sorted(KNOWN_RULES))
def test_survives_a_pickle(env_id: str) -> None:
    rule = rule_of(env_id)
    next_obs = torch.linspace(-2, 2, 300).reshape(10, 30)
    copied = pickle.loads(pickle.dumps(rule))
    assert torch.equal(copied(next_obs, next_obs, next_obs), rule(next_obs, next_obs, next_obs))


@pytest.mark.parametrize("env_id", ["Hopper-v3", "hopper-v5", "Hopper", "my/Hopper-v5", "Taxi-v3"])
def test_other_ids_have_no_rule(env_id: str) -> None:
    assert termination_rule(EnvSpec(env_id, entry_point="unused:Unused")) is None


def test_every_known_id_is_registered() -> None:
    assert set(KNOWN_RULES) <= set(gym.registry)


def test_settings_that_went_through_json_are_read() -> None:
    kwargs = json.loads(json.dumps({"healthy_z_range": [0.9, float("inf")]}))
    rows = torch.zeros(2, 11)
    rows[:, 0] = torch.tensor([0.8, 1.0])
    assert rule_of("Hopper-v5")(rows, rows, rows).tolist() == [False, False]
    assert rule_of("Hopper-v5", **kwargs)(rows, rows, rows).tolist() == [True, False]


def test_continuing_when_unhealthy_is_never() -> None:
    for name in ("Hopper", "Walker2d", "Ant", "Humanoid"):
        assert rule_of(f"{name}-v5", terminate_when_unhealthy=False) is never


@pytest.mark.parametrize("bounds", [0.7, (0.7,), (0.1, 0.2, 0.3), ("low", "high"), None])
def test_an_interval_must_be_two_numbers(bounds: Any) -> None:
    with pytest.raises(SettingsError, match=r"healthy_z_range must be two numbers \(low, high\), got"):
        rule_of("Hopper-v5", healthy_z_range=bounds)


def test_double_pendulum_of_unknown_links_has_no_rule() -> None:
    spec = EnvSpec(
        "InvertedDoublePendulum-v5", entry_point="unused:Unused", kwargs={"xml_file": "long_links.xml"}
    )
    assert termination_rule(spec) is None

"""Every rule compared with the simulator's verdict, value by value around every bound."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.tasks import TerminationRule, never, termination_rule
from offline_envs.tasks import termination_rules as rules

Judge = Callable[[gym.Env[Any, Any], str, int, float], tuple[NDArray[np.float64], bool]]
MakeEnv = Callable[..., gym.Env[Any, Any]]

WITH_X = {"exclude_current_positions_from_observation": False}

# (environment, its keyword arguments, the vector and entry that is swept, the bounds on it)
SWEEPS: list[tuple[str, dict[str, Any], str, int, tuple[float, ...]]] = []
for _version in ("v4", "v5"):
    SWEEPS += [
        (f"Hopper-{_version}", {}, "qpos", 1, (0.7,)),
        (f"Hopper-{_version}", {}, "qpos", 2, (-0.2, 0.2)),
        (f"Hopper-{_version}", {}, "qpos", 4, (-1000.0, -100.0, 100.0)),
        (f"Hopper-{_version}", {"healthy_state_range": (-5.0, 6.0)}, "qvel", 0, (-5.0, 6.0)),
        (f"Hopper-{_version}", {"healthy_state_range": (-5.0, 6.0)}, "qvel", 5, (-5.0, 6.0)),
        (f"Hopper-{_version}", {"healthy_state_range": (-0.1, 0.1), **WITH_X}, "qpos", 2, (-0.1, 0.1)),
        (f"Hopper-{_version}", {"healthy_z_range": (0.9, 1.3)}, "qpos", 1, (0.7, 0.9, 1.3)),
        (f"Hopper-{_version}", {"healthy_angle_range": (-0.3, 0.1)}, "qpos", 2, (-0.3, 0.1)),
        (f"Hopper-{_version}", {"terminate_when_unhealthy": False}, "qpos", 1, (0.7,)),
        (f"Hopper-{_version}", WITH_X, "qpos", 0, (-100.0, 0.7)),
        (f"Hopper-{_version}", WITH_X, "qpos", 1, (0.7,)),
        (f"Hopper-{_version}", WITH_X, "qpos", 2, (-0.2, 0.2)),
        (f"Walker2d-{_version}", {}, "qpos", 1, (0.8, 2.0)),
        (f"Walker2d-{_version}", {}, "qpos", 2, (-1.0, 1.0)),
        (f"Walker2d-{_version}", {}, "qpos", 5, (-100.0, 100.0)),
        (f"Walker2d-{_version}", {"healthy_z_range": (0.9, 1.3)}, "qpos", 1, (0.9, 1.3)),
        (f"Walker2d-{_version}", {"healthy_angle_range": (-0.7, 0.1)}, "qpos", 2, (-0.7, 0.1)),
        (f"Walker2d-{_version}", {"terminate_when_unhealthy": False}, "qpos", 1, (0.8, 2.0)),
        (f"Walker2d-{_version}", WITH_X, "qpos", 0, (0.8,)),
        (f"Walker2d-{_version}", WITH_X, "qpos", 1, (0.8, 2.0)),
        (f"Walker2d-{_version}", WITH_X, "qpos", 2, (-1.0, 1.0)),
        (f"Ant-{_version}", {}, "qpos", 2, (0.2, 1.0)),
        (f"Ant-{_version}", {"healthy_z_range": (0.3, 0.7)}, "qpos", 2, (0.3, 0.7)),
        (f"Ant-{_version}", {"terminate_when_unhealthy": False}, "qpos", 2, (0.2, 1.0)),
        (f"Ant-{_version}", WITH_X, "qpos", 0, (0.2,)),
        (f"Ant-{_version}", WITH_X, "qpos", 2, (0.2, 1.0)),
        (f"Humanoid-{_version}", {}, "qpos", 2, (1.0, 2.0)),
        (f"Humanoid-{_version}", {"healthy_z_range": (1.1, 1.7)}, "qpos", 2, (1.1, 1.7)),
        (f"Humanoid-{_version}", {"terminate_when_unhealthy": False}, "qpos", 2, (1.0, 2.0)),
        (f"Humanoid-{_version}", WITH_X, "qpos", 2, (1.0, 2.0)),
        (f"InvertedPendulum-{_version}", {}, "qpos", 1, (-0.2, 0.2)),
        (f"InvertedPendulum-{_version}", {}, "qpos", 0, (-0.2, 0.2)),
    ]
SWEEPS += [
    ("Ant-v4", {"use_contact_forces": True}, "qpos", 2, (0.2, 1.0)),
    ("Ant-v5", {"include_cfrc_ext_in_observation": False}, "qpos", 2, (0.2, 1.0)),
    ("Humanoid-v5", {"include_cinert_in_observation": False}, "qpos", 2, (1.0, 2.0)),
]


def end(rule: TerminationRule, next_obs: Tensor) -> Tensor:
    return rule(torch.zeros_like(next_obs), torch.zeros(len(next_obs), 1), next_obs)


def rule_of(env: gym.Env[Any, Any]) -> TerminationRule:
    assert env.spec is not None
    rule = termination_rule(env.spec)
    assert rule is not None
    return rule


def agreed_rule(
    env: gym.Env[Any, Any], observed: list[NDArray[np.float32]], ends: list[bool]
) -> TerminationRule:
    """The rule of an environment, which ends what the simulator ended: some of what it observed, not all."""
    rule = rule_of(env)
    assert end(rule, torch.tensor(np.stack(observed))).tolist() == ends
    assert {True, False} == {*ends}
    return rule


@pytest.mark.parametrize(("env_id", "kwargs", "vector", "index", "bounds"), SWEEPS)
def test_agrees_around_each_bound(
    make_env: MakeEnv,
    judge: Judge,
    env_id: str,
    kwargs: dict[str, Any],
    vector: str,
    index: int,
    bounds: tuple[float, ...],
) -> None:
    env = make_env(env_id, **kwargs)
    rule = rule_of(env)
    coarse = [bound + step for bound in bounds for step in (-0.5, -1e-3, -1e-4, 0.0, 1e-4, 1e-3, 0.5)]
    fine = [np.nextafter(bound, side) for bound in bounds for side in (-np.inf, np.inf)]
    fine += [bound + step for bound in bounds for step in (-1e-9, 1e-9)]
    verdicts = [judge(env, vector, index, float(value)) for value in coarse + fine]
    next_obs = torch.tensor(np.stack([obs for obs, _ in verdicts]))
    terminated = [flag for _, flag in verdicts]
    assert end(rule, next_obs).tolist() == terminated
    n = len(coarse)
    assert end(rule, next_obs[:n].float()).tolist() == terminated[:n], "the coarse values survive float32"


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_hopper_ends_at_minus_1000(make_env: MakeEnv, judge: Judge, version: str) -> None:
    """`abs(next_obs < 100)`, an absolute value of a boolean, called this state healthy."""
    next_obs, terminated = judge(make_env(f"Hopper-{version}"), "qpos", 3, -1000.0)
    rows = torch.tensor(next_obs[None])
    assert (next_obs[1:] < 100).all()
    assert terminated
    assert end(rules.hopper, rows).tolist() == [True]


def test_hopper_velocity_is_clipped_before_the_rule_sees_it(make_env: MakeEnv, judge: Judge) -> None:
    """The documented difference: the simulator tests the velocity that its observation clips."""
    next_obs, terminated = judge(make_env("Hopper-v5"), "qvel", 3, -150.0)
    assert terminated
    assert next_obs.min() == -10.0
    assert end(rules.hopper, torch.tensor(next_obs[None])).tolist() == [False]
    predicted = torch.tensor(next_obs[None]).clamp(min=-1000.0)
    predicted[0, -1] = -1000.0
    assert end(rules.hopper, predicted).tolist() == [True]


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_tip_height_is_the_simulators(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    simulator: Any = make_env(f"InvertedDoublePendulum-{version}").unwrapped
    monkeypatch.setattr(simulator, "do_simulation", lambda action, n_frames: None)
    generator = np.random.default_rng(0)
    edge = float(np.arccos(1 / 1.2))
    angles = [(edge + step, 0.0) for step in (-1e-3, -1e-6, 1e-6, 1e-3)]
    angles += [(-edge + step, 0.0) for step in (-1e-3, -1e-6, 1e-6, 1e-3)]
    angles += [(edge + 0.1, -2 * edge + step) for step in (-1e-3, 0.0, 1e-3)]
    angles += [tuple(pair) for pair in generator.uniform(-4, 4, size=(200, 2))]
    angles += [tuple(pair) for pair in generator.uniform(-0.7, 0.7, size=(200, 2))]
    observed, heights, ends = [], [], []
    for pair in angles:
        simulator.set_state(np.array([0.3, *pair]), generator.normal(size=3))
        next_obs, _, terminated, _, _ = simulator.step(np.zeros(1))
        observed.append(next_obs)
        heights.append(simulator.data.site_xpos[0][2])
        ends.append(terminated)
    rows = torch.tensor(np.stack(observed))
    np.testing.assert_allclose(rules.tip_height(rows).numpy(), heights, atol=1e-12)
    assert end(rules.inverted_double_pendulum, rows).tolist() == ends
    assert 0.2 < np.mean(ends) < 0.8


def test_tip_of_a_real_step_lags_little(make_env: MakeEnv) -> None:
    """The documented difference: the simulator's tip is that of its integrator's last stage."""
    env = make_env("InvertedDoublePendulum-v5")
    simulator: Any = env.unwrapped
    env.action_space.seed(0)
    ended, lags = True, []
    for step in range(1000):
        if ended:
            env.reset(seed=step)
        next_obs, _, ended, _, _ = env.step(env.action_space.sample())
        height = rules.tip_height(torch.tensor(next_obs[None])).item()
        lags.append(abs(height - simulator.data.site_xpos[0][2]))
    assert 0.0 < max(lags) < 3e-4


def test_tip_height_by_hand() -> None:
    upright, flat, folded = [0, 0, 0, 1, 1], [0, 1, 0, 0, 1], [0, 0, 0, 1, -1]
    bent = [0, 0, 1, 1, 0]
    rows = torch.tensor([upright, flat, folded, bent], dtype=torch.float64)
    np.testing.assert_allclose(rules.tip_height(rows).numpy(), [1.2, 0.0, 0.0, 0.6], atol=1e-12)
    np.testing.assert_allclose(rules.tip_height(2 * rows).numpy(), [1.2, 0.0, 0.0, 0.6], atol=1e-12)


def test_mountain_car_agrees_around_the_goal(make_env: MakeEnv) -> None:
    env = make_env("MountainCarContinuous-v0", goal_velocity=0.01)
    rule = rule_of(env)
    env.reset(seed=0)
    simulator: Any = env.unwrapped
    observed, ends = [], []
    for position in np.linspace(0.43, 0.47, 41, dtype=np.float32):
        for velocity in (-0.01, 0.0, 0.0085, 0.009, 0.01, 0.0107, 0.02):
            simulator.state = np.array([position, velocity], dtype=np.float32)
            next_obs, _, terminated, _, _ = simulator.step(np.zeros(1, dtype=np.float32))
            observed.append(next_obs.copy())
            ends.append(terminated)
    assert end(rule, torch.tensor(np.stack(observed))).tolist() == ends
    assert True in ends
    assert False in ends


def test_mountain_car_with_discrete_actions_ends_at_the_flag(make_env: MakeEnv) -> None:
    env = make_env("MountainCar-v0")
    positions, ends = [], []
    env.reset(seed=0)
    simulator: Any = env.unwrapped
    for position in np.linspace(0.47, 0.53, 61):
        simulator.state = (position, 0.0)
        next_obs, _, terminated, _, _ = simulator.step(2)
        positions.append(next_obs.copy())
        ends.append(terminated)
    agreed_rule(env, positions, ends)


@pytest.mark.parametrize("entry", [0, 2])
def test_cart_pole_agrees_around_its_bounds(make_env: MakeEnv, entry: int) -> None:
    env = make_env("CartPole-v1")
    observed, ends = [], []
    simulator: Any = env.unwrapped
    bound = {0: 2.4, 2: 12 * 2 * np.pi / 360}[entry]
    for sign in (-1, 1):
        for value in np.linspace(0.99 * bound, 1.01 * bound, 41):
            env.reset(seed=0)
            simulator.state = np.zeros(4)
            simulator.state[entry] = sign * value
            next_obs, _, terminated, _, _ = simulator.step(0)
            observed.append(next_obs.copy())
            ends.append(terminated)
    rule = agreed_rule(env, observed, ends)
    edge = torch.zeros(1, 4)
    edge[0, entry] = bound  # which itself is allowed
    assert end(rule, edge).tolist() == [False]
    assert end(rule, torch.full((1, 4), torch.nan)).tolist() == [False]


def test_acrobot_agrees_on_a_walk_of_large_swings(make_env: MakeEnv) -> None:
    env = make_env("Acrobot-v1")
    simulator: Any = env.unwrapped
    env.reset(seed=0)
    generator = np.random.default_rng(0)
    observed, ends = [], []
    for _ in range(200):
        simulator.state = np.array([*generator.uniform(-np.pi, np.pi, 2), 0.0, 0.0])
        next_obs, _, terminated, _, _ = simulator.step(1)
        observed.append(next_obs.copy())
        ends.append(terminated)
    rule = agreed_rule(env, observed, ends)
    level = torch.tensor(
        [[-1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]
    )  # first link up, second level: 1 + 0 is not above 1
    assert end(rule, level).tolist() == [False]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("rule", "healthy"),
    [
        (rules.hopper, [1.25, *[0.0] * 10]),
        (rules.walker2d, [1.25, 0.0]),
        (rules.ant, [0.75, *[0.0] * 26]),
        (rules.humanoid, [1.4]),
        (rules.inverted_pendulum, [0.0] * 4),
    ],
)
def test_what_is_not_finite_ends(rule: TerminationRule, healthy: list[float], bad: float) -> None:
    rows = torch.tensor(healthy).repeat(len(healthy) + 1, 1)
    rows[1:].fill_diagonal_(bad)
    assert end(rule, rows).tolist() == [False] + [True] * len(healthy)


def test_nan_ends_no_double_pendulum() -> None:
    """As in the simulator, where `y <= 1` is false of NaN."""
    assert end(rules.inverted_double_pendulum, torch.full((1, 9), float("nan"))).tolist() == [False]


def test_never_ends_nothing() -> None:
    assert end(never, torch.full((3, 2), float("nan"))).tolist() == [False] * 3

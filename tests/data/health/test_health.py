"""Every check of `data_health`, on datasets in which one thing is wrong."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions, data_health
from offline_envs.data.health import CHECKS
from offline_envs.data.health.steps import row_codes
from tests.data.worlds import transitions

N = 500


def sound(**changes: Any) -> Transitions:
    """Five walks of 100 steps; the first two terminate."""
    generator = torch.Generator().manual_seed(0)
    paths = torch.randn(5, 101, 2, generator=generator).cumsum(1)
    fields: dict[str, Any] = {
        "obs": paths[:, :-1].reshape(N, 2),
        "next_obs": paths[:, 1:].reshape(N, 2),
        "actions": 1.8 * torch.rand(N, 1, generator=generator) - 0.9,
        "rewards": torch.randn(N, generator=generator),
        "terminated": torch.isin(torch.arange(N), torch.tensor([99, 199])),
        "episode_starts": torch.arange(0, N, 100),
    }
    return transitions(N, **(fields | changes))


def found(data: Transitions) -> dict[str, str]:
    """What is wrong, by check."""
    return {finding.check: finding.problem for finding in data_health(data) if not finding.ok}


def column(index: int, values: torch.Tensor) -> dict[str, Any]:
    """Replace a column of the observations, and that of their successors by the same walk."""
    data = sound()
    obs, next_obs = data.obs.clone(), data.next_obs.clone()
    obs[:, index], next_obs[:, index] = values[:-1], values[1:]
    return {"obs": obs, "next_obs": next_obs}


def test_nothing_is_wrong_with_sound_data() -> None:
    assert [finding.check for finding in data_health(sound())] == list(CHECKS)
    assert found(sound()) == {}


def test_constant_columns() -> None:
    constant = sound(rewards=torch.zeros(N), obs=torch.full((N, 2), 0.1), next_obs=torch.full((N, 2), 0.1))
    assert found(constant)["constant columns"].startswith("obs[0], obs[1], rewards: ")


def test_nearly_constant_columns_and_the_steps_that_float32_leaves_them() -> None:
    """A column of 0.04 with a deviation of 1e-8: neighbours in float32 are 4e-9 apart."""
    noise = torch.randn(N + 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    problems = found(sound(**column(1, 0.04 + 1e-8 * noise), episode_starts=torch.tensor([0])))
    assert problems["nearly constant columns"].startswith(
        "obs[1] (0.04, deviation 1e-08): subtract an offset"
    )
    assert re.match(r"obs\[1\] \(\d\d?% of its steps are 0\): subtract", problems["float32 steps"])


def test_scales() -> None:
    data = sound()
    units = sound(obs=data.obs * torch.tensor([1e6, 1.0]), next_obs=data.next_obs * torch.tensor([1e6, 1.0]))
    assert re.match(
        r"deviations reach from [\d.]+ \(rewards\) to [\d.]+e\+0[67] \(obs\[0\]\)", found(units)["scales"]
    )
    assert "(rewards)" in found(sound(rewards=data.rewards * 1e-4))["scales"]


def test_outliers() -> None:
    """One of 500 rewards is 1000, the others about 0: deviation 1000/√500 = 44.7, distance 22.3 of them."""
    rewards = sound().rewards.clone()
    rewards[7] = 1000
    assert found(sound(rewards=rewards))["outliers"].startswith("rewards (1, the furthest 1000 in row 7)")


def test_spread_of_actions() -> None:
    constant = found(sound(actions=torch.full((N, 1), 0.3)))
    assert constant["action spread"].startswith("action[0] never changes")
    mostly = torch.where(torch.arange(N) % 5 < 4, 1.0, 0.3)[:, None]
    assert found(sound(actions=mostly))["action spread"].startswith("action[0] is at a bound in 80%")


def test_bounds_of_actions() -> None:
    assert "action[0]: unbounded" in found(sound(action_space=Box(-np.inf, np.inf, (1,))))["action bounds"]
    assert "0 or 1" in found(sound(actions=(sound().actions > 0).float()))["action bounds"]


def test_an_episode_given_twice() -> None:
    data = sound()
    rows = torch.cat([torch.arange(400), torch.arange(100)])
    twice = sound(**{name: getattr(data, name)[rows] for name in ("obs", "next_obs", "actions", "rewards")})
    problems = found(twice)
    assert problems["duplicate steps"].startswith("100 of 500 rows repeat an earlier row (20.0%)")
    assert problems["duplicate episodes"].startswith("1 of 5 repeat an earlier one")


def test_codes_are_equal_for_equal_rows_only() -> None:
    """Exhaustive over small whole numbers, beside Python's own sets."""
    grid = torch.cartesian_prod(*[torch.arange(-3.0, 3.0)] * 4)
    rows = torch.cat([grid, grid[::7]])
    data = transitions(
        len(rows), obs=rows[:, :1], actions=rows[:, 1:2], rewards=rows[:, 2], next_obs=rows[:, 3:]
    )
    codes = row_codes(data)
    assert len(np.unique(codes)) == len({tuple(row) for row in rows.tolist()}) == 6**4
    assert np.array_equal(codes[6**4 :], codes[: 6**4 : 7])


def test_episodes_of_one_step() -> None:
    single = sound(episode_starts=torch.arange(N))
    assert found(single)["short episodes"].startswith("500 of 500 have a single step")


def test_terminations() -> None:
    always = found(sound(terminated=torch.ones(N, dtype=torch.bool)))
    assert always["terminations"].startswith("500 of 500 steps terminate")
    never = torch.zeros(N, dtype=torch.bool)
    assert "terminations" not in found(sound(terminated=never))
    uneven = found(sound(terminated=never, episode_starts=torch.tensor([0, 100, 250])))
    assert "episodes take from 100 to 250 steps: are the marks lost?" in uneven["terminations"]


def test_unmarked_ends() -> None:
    """Rows 99 and 299 are not followed by their successors, and row 199 terminates."""
    problems = found(sound(episode_starts=torch.tensor([0, 400])))
    assert problems["unmarked ends"].startswith("3 rows inside episodes")
    assert "the first is row 99: give episode_starts" in problems["unmarked ends"]


def test_the_manual_lists_every_check() -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    section = text.split("## Data health")[1]
    assert re.findall(r"(?m)^\| `([a-z0-9 ]+)` \|", section) == list(CHECKS)


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_datasets(size: int) -> None:
    assert len(data_health(transitions(size))) == len(CHECKS)

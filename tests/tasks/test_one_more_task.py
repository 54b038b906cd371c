"""A task is one file and one line, even on a body that the package has no record of."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import offline_envs
from offline_envs.data import Transitions
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.registration import TASKS
from offline_envs.simulator.layouts import LAYOUTS
from offline_envs.tasks import KNOWN_RULES, Relabelling, known_tasks, relabel
from offline_envs.tasks.relabelling.needed_infos import OBSERVED
from offline_envs.tasks.termination_rules import hopper
from tests.tasks.hopper_hop import ENTRY
from tests.tasks.simulated import simulated, without

HEALTHY: dict[str, Any] = {"healthy_angle_range": (-0.3, 0.3), "healthy_state_range": (-50.0, 50.0)}


@pytest.fixture(autouse=True)
def hopper_hop() -> Iterator[None]:
    """Register it, for the length of a test."""
    offline_envs.register_task("hopper-hop", *ENTRY)
    yield
    del gym.registry[ENTRY[0]], TASKS["hopper-hop"]


@pytest.fixture
def data() -> Transitions:
    """A hopper whose episodes end at custom bounds."""
    return simulated("Hopper-v5", **HEALTHY).transitions


def test_it_is_known_and_made() -> None:
    assert "hopper-hop" in [task.name for task in known_tasks()]
    env = gym.make("HopperHop-v0", hop_weight=3, **HEALTHY)
    env.reset(seed=0)
    next_obs, reward, _, _, info = env.step(np.zeros(3, dtype=np.float32))
    assert reward == pytest.approx(info["x_velocity"] + 3 * next_obs[0], abs=1e-12)
    env.close()


def test_data_are_relabelled_with_all_of_their_physics(data: Transitions) -> None:
    """A policy judged by other bounds than the data's would fall later or sooner than any logged one."""
    result = relabel(data, "hopper-hop")
    by_hand = data.infos["x_velocity"] + 2 * data.next_obs[:, 0]
    np.testing.assert_allclose(result.rewards, by_hand, rtol=0, atol=1e-6)
    assert result.env_spec is not None
    assert result.env_spec.id == "HopperHop-v0"
    assert result.env_spec.kwargs == {"task": "hopper-hop", **HEALTHY}


def test_a_body_without_a_record_has_an_estimate_of_unknown_error(data: Transitions) -> None:
    """The reward of Hopper depends on more than the velocity, and the error was never measured."""
    with pytest.warns(UserWarning, match="an error of unknown size"):
        found = Relabelling.of(without(data, "x_velocity"), "hopper-hop")
    (source,) = found.report.infos
    assert source.origin == OBSERVED
    observed = (data.obs[:, 5] + data.next_obs[:, 5]) / 2
    torch.testing.assert_close(found.transitions.rewards, observed + 2 * data.next_obs[:, 0])


def test_columns_of_a_body_without_a_record_are_not_cut(data: Transitions) -> None:
    wide = replace(data, obs=data.obs.repeat(1, 2), next_obs=data.next_obs.repeat(1, 2))
    with pytest.raises(DatasetError, match="needs observations of 11 dimensions; Hopper-v5 has 22 of Hopper"):
        relabel(wide, "hopper-hop")


def test_its_episodes_end_as_the_hoppers() -> None:
    rule = KNOWN_RULES["HopperHop-v0"]({"healthy_z_range": (0.9, 1.0)})
    assert isinstance(rule, partial)
    assert (rule.func, rule.keywords["height"]) == (hopper, (0.9, 1.0))
    assert LAYOUTS["HopperHop-v0"].obs_dim == 11
    assert "HopperHop-v0" in [*KNOWN_RULES]


def test_a_name_or_an_id_that_is_taken_is_refused() -> None:
    offline_envs.register_task("hopper-hop", *ENTRY)  # the same once more
    for name, env_id in (("ant-angle", "Mine-v0"), ("mine", "AntAngle-v0"), ("mine", "Hopper-v5")):
        with pytest.raises(SettingsError, match="is taken"):
            offline_envs.register_task(name, env_id, ENTRY[1])


def test_a_broken_task_breaks_nothing_else() -> None:
    """In a separate process: it fails where it is used, not where the package is imported."""
    program = (
        "import offline_envs; offline_envs.register_task('broken', 'Broken-v0', 'no_such_module:task')\n"
        "from offline_envs.tasks import KNOWN_RULES, find_task\n"
        "assert KNOWN_RULES['Hopper-v5']({}) and 'Unheard-v0' not in KNOWN_RULES\n"
        "try: find_task('broken')\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "no_such_module" in done.stdout, done.stderr

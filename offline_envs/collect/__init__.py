"""Collection of datasets: a policy's steps, or another dataset with the reward of a task.

They are written in Minari's format, or grow in memory for loops that collect and fit in turn.

The settings are imported with the package, because the command line reads them before it knows whether the
slow imports are needed; everything else is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from offline_envs.collect.settings import CollectSettings, Kind

if TYPE_CHECKING:
    from offline_envs.collect.collection import Collected, check_place, collect_dataset
    from offline_envs.collect.environment import check_planned, make_collected
    from offline_envs.collect.growing import GrowingDataset
    from offline_envs.collect.planned import PlanningModel
    from offline_envs.collect.relabelled import write_relabelled
    from offline_envs.collect.writer import check_new

__all__ = [
    "CollectSettings",
    "Collected",
    "GrowingDataset",
    "Kind",
    "PlanningModel",
    "check_new",
    "check_place",
    "check_planned",
    "collect_dataset",
    "episode_buffers",
    "make_collected",
    "write_relabelled",
]

_SLOW = {
    "Collected": "collection",
    "PlanningModel": "planned",
    "GrowingDataset": "growing",
    "check_new": "writer",
    "check_place": "collection",
    "check_planned": "environment",
    "collect_dataset": "collection",
    "episode_buffers": "relabelled",
    "make_collected": "environment",
    "write_relabelled": "relabelled",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch, Stable-Baselines3 or Minari."""
    if name in _SLOW:
        return getattr(import_module(f"{__name__}.{_SLOW[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

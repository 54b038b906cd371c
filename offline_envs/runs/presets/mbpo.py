"""MBPO's presets, as Yu et al. 2020 (MOPO) use it offline."""

from collections.abc import Iterator

from offline_envs.runs.presets.mopo import MOPO_PAPER, RELEASE_AGENT
from offline_envs.runs.presets.preset import RAW, Preset

MBPO_SHORT = ("walker2d-medium-replay", "walker2d-medium-expert")
"""Datasets on which offline MBPO imagines one step; elsewhere it imagines five."""


def mbpo() -> Iterator[Preset]:
    """MBPO in D4RL's datasets."""
    source = "Yu et al. 2020 (arXiv v1), MBPO in the table of hyperparameters; datasets v0"
    for dataset in MOPO_PAPER:
        horizon = 1 if dataset in MBPO_SHORT else 5
        settings = {"algorithm": "mbpo", "horizon": horizon, "fit": RAW, **RELEASE_AGENT}
        yield Preset(f"mbpo/{dataset}", source, settings)

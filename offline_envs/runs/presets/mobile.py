"""MOBILE's presets."""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import LOG_STD, RAW, Pair, Preset

MOBILE_RELEASE: Mapping[str, Pair] = {
    "halfcheetah-random": (5, 0.5),
    "hopper-random": (5, 5.0),
    "walker2d-random": (5, 2.0),
    "halfcheetah-medium": (5, 0.5),
    "hopper-medium": (5, 1.5),
    "walker2d-medium": (5, 0.5),
    "halfcheetah-medium-replay": (5, 0.1),
    "hopper-medium-replay": (5, 0.1),
    "walker2d-medium-replay": (1, 0.5),
    "halfcheetah-medium-expert": (5, 1.0),
    "hopper-medium-expert": (5, 1.5),
    "walker2d-medium-expert": (1, 1.5),
}
"""Horizon and β."""

FIXED_TEMPERATURE = ("hopper-medium", "hopper-medium-replay")
"""Datasets on which the release fixes α at 0.2 instead of learning it."""

SPECIAL: Mapping[str, Mapping[str, Any]] = {
    "halfcheetah-medium-expert": {"real_ratio": 0.5},
    "walker2d-medium": {"fit": {"max_epochs": 30, **RAW}},
}
"""Settings that the release, and MOREC's with this agent, change for one dataset only."""


def mobile() -> Iterator[Preset]:
    """MOBILE in D4RL's datasets."""
    source = "Sun et al. 2023, per-dataset configurations of the release; datasets v2"
    for dataset, (horizon, coef) in MOBILE_RELEASE.items():
        options = {"inconsistency_coef": coef, "inconsistency_of": "values", "clamp_target": True}
        if dataset in FIXED_TEMPERATURE:
            options["ent_coef"] = 0.2
        settings = {
            "algorithm": "mobile",
            "horizon": horizon,
            "agent_options": options,
            "fit": RAW,
            "gradient_steps": 3_000_000,
            **SPECIAL.get(dataset, {}),
        }
        yield Preset(f"mobile/{dataset}", source, settings, LOG_STD)

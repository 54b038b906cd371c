"""COMBO's presets."""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import LOG_STD, RATES_AND_COSINE, RAW, Pair, Preset

COMBO_KIT: Mapping[str, Pair] = {
    "halfcheetah-medium": (5, 0.5),
    "hopper-medium": (5, 5.0),
    "walker2d-medium": (1, 5.0),
    "halfcheetah-medium-replay": (5, 0.5),
    "hopper-medium-replay": (5, 0.5),
    "walker2d-medium-replay": (1, 0.5),
    "halfcheetah-medium-expert": (5, 5.0),
    "hopper-medium-expert": (5, 5.0),
    "walker2d-medium-expert": (1, 5.0),
}
"""Horizon and `cql-weight`, which stands beside whole squares there: twice the β beside half squares."""

DIFFERS = f"the soft maximum is over all 30 actions of a state, there over three at a time; {LOG_STD}"

KIT_AGENT: Mapping[str, Any] = {
    **RATES_AND_COSINE["agent_options"],
    "policy_kwargs": {"net_arch": [256, 256, 256]},
    "entropy_backup": False,
}
"""What OfflineRL-Kit changes in SAC for COMBO."""


def combo() -> Iterator[Preset]:
    """COMBO in D4RL's datasets, by OfflineRL-Kit; the paper's authors published no code."""
    source = "OfflineRL-Kit, suggested hyperparameters of run_combo.py; datasets v2"
    for dataset, (horizon, weight) in COMBO_KIT.items():
        settings = {
            "algorithm": "combo",
            "horizon": horizon,
            "real_ratio": 0.5,
            "agent_options": {**KIT_AGENT, "conservative_weight": weight / 2},
            "fit": RAW,
            "gradient_steps": 1_000_000,
        }
        yield Preset(f"combo-kit/{dataset}", source, settings, DIFFERS)

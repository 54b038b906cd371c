"""RAMBO's presets.

Both codes standardise observations by the dataset before anything else, and fit their models to steps and
rewards in those units. Here the fit standardises its targets instead, so that bounds of log-variances are in
deviations of each output, and the agent sees observations as they are. How the adversary differs is in
`AdversarySettings`: ended episodes restart, very large gradients are clipped, and it stops once it has left
the data.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import LOG_STD, RATES, Pair, Preset

RAMBO_RELEASE: Mapping[str, Pair] = {
    "halfcheetah-random": (5, 0.0),
    "hopper-random": (2, 3e-4),
    "walker2d-random": (5, 0.0),
    "halfcheetah-medium": (5, 3e-4),
    "hopper-medium": (5, 3e-4),
    "walker2d-medium": (5, 0.0),
    "halfcheetah-medium-replay": (5, 3e-4),
    "hopper-medium-replay": (2, 3e-4),
    "walker2d-medium-replay": (5, 0.0),
    "halfcheetah-medium-expert": (5, 3e-4),
    "hopper-medium-expert": (5, 3e-4),
    "walker2d-medium-expert": (2, 3e-4),
}

RAMBO_KIT: Mapping[str, Pair] = {
    "halfcheetah-medium": (5, 3e-4),
    "hopper-medium": (5, 3e-4),
    "walker2d-medium": (5, 0.0),
    "halfcheetah-medium-replay": (5, 3e-4),
    "hopper-medium-replay": (5, 3e-4),
    "walker2d-medium-replay": (5, 0.0),
    "halfcheetah-medium-expert": (5, 0.0),
    "hopper-medium-expert": (5, 0.0),
    "walker2d-medium-expert": (2, 3e-4),
}

KIT_MODEL: Mapping[str, Any] = {
    "fit": {"learning_rate": 3e-4, "patience": 10, "bound_weight": 0.001, "holdout_share": 0.1}
}
"""What both codes change of MOPO's fit."""

RELEASE_MODEL: Mapping[str, Any] = {"ensemble": {"logvar_bounds": [-6.0, 1.0]}, **KIT_MODEL}
"""What RAMBO's release changes of MOPO's model and fit."""

KIT_ROLLOUTS = 200
"""Rollouts started for each gradient step: 50 000 every 250 steps, where others have every 1000."""

KIT_RETAINED = 5_000
"""Gradient steps whose rollouts its buffer holds."""

DIFFERS = "the agent sees observations as they are, there in deviations of the data; see AdversarySettings"
KIT_DIFFERS = (
    f"{DIFFERS}; {LOG_STD}; the policy is cloned by likelihood, there by the distance of sampled actions"
)


def rambo() -> Iterator[Preset]:
    """RAMBO in D4RL's datasets, by the release and by OfflineRL-Kit."""
    release = "Rigter et al. 2022, per-dataset configurations of the release; datasets v2"
    kit = "OfflineRL-Kit, suggested hyperparameters of run_rambo.py; datasets v2"
    for dataset, (horizon, weight) in RAMBO_RELEASE.items():
        settings = {**_common(horizon, weight), **RELEASE_MODEL, **RATES}
        yield Preset(f"rambo/{dataset}", release, settings, DIFFERS)
    for dataset, (horizon, weight) in RAMBO_KIT.items():
        settings = {**_common(horizon, weight), **KIT_MODEL, **_kit_agent(horizon)}
        yield Preset(f"rambo-kit/{dataset}", kit, settings, KIT_DIFFERS)


def _common(horizon: int, weight: float) -> dict[str, Any]:
    return {
        "algorithm": "rambo",
        "horizon": horizon,
        "adversary": {"adv_weight": weight, "skip_if_zero": True},
        "gradient_steps": 2_000_000,
    }


def _kit_agent(horizon: int) -> dict[str, Any]:
    ratio = KIT_ROLLOUTS * horizon
    options = {**RATES["agent_options"], "max_ent_coef": 1.0, "buffer_size": KIT_RETAINED * ratio}
    return {**RATES, "agent_options": options, "transitions_per_gradient_step": float(ratio)}

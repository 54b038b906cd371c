"""RAMBO's presets."""

from collections.abc import Iterator, Mapping

from offline_envs.runs.presets.preset import RATES, RAW, Pair, Preset

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

RAMBO_FIT = {"learning_rate": 3e-4, "patience": 10, "bound_weight": 0.001, **RAW}
"""Settings of the fit that RAMBO's release changes."""


def rambo() -> Iterator[Preset]:
    """RAMBO in D4RL's datasets, by the release and by OfflineRL-Kit."""
    release = "Rigter et al. 2022, per-dataset configurations of the release; datasets v2"
    kit = "OfflineRL-Kit, suggested hyperparameters of run_rambo.py; datasets v2"
    for family, source, table in (("rambo", release, RAMBO_RELEASE), ("rambo-kit", kit, RAMBO_KIT)):
        for dataset, (horizon, weight) in table.items():
            settings = {
                "algorithm": "rambo",
                "horizon": horizon,
                "adversary": {"adv_weight": weight, "skip_if_zero": True},
                "fit": RAMBO_FIT,
                "gradient_steps": 2_000_000,
                **RATES,
            }
            yield Preset(f"{family}/{dataset}", source, settings)

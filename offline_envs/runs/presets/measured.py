"""Presets of settings that no paper has: what was measured here."""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import Preset

COSINE_FIT: Mapping[str, Any] = {"learning_rate": 4e-3, "schedule": "cosine", "max_epochs": 24}
"""A shorter fit than the papers', as measured here."""


def _measured(page: str, rows: str) -> str:
    return f"measured here, see docs/{page}.md; {rows} replay steps"


MOPO_OWN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "hopper-replay": (
        _measured("studies", "250 016"),
        {
            "agent_options": {"policy_kwargs": {"n_critics": 10}, "actor_ema_decay": 0.999},
            "penalty_coef": 2.5,
            "gradient_steps": 50_000,
            "eval_every": 1_000,
            "choose": "model_raw",
        },
    ),
    "halfcheetah-replay": (
        _measured("batches", "250 016"),
        {
            "penalty_coef": 0.5,
            "gradient_steps": 100_000,
            "eval_every": 2_500,
            "transitions_per_gradient_step": 100,
        },
    ),
    "halfcheetah-jump": (
        _measured("batches", "300 000"),
        {
            "task": "halfcheetah-jump",
            "horizon": 5,
            "agent_options": {"actor_ema_decay": 0.999},
            "penalty_coef": 1.0,
            "rollout_actions": "uniform",
            "gradient_steps": 100_000,
            "eval_every": 2_500,
        },
    ),
}
"""Where the settings come from, and the settings."""


def mopo_own() -> Iterator[Preset]:
    """MOPO with FastSAC, as measured here: the hopper needs ten critics, the jump averaged weights."""
    shared = {"algorithm": "mopo", "agent": "fastsac", "fit": COSINE_FIT}
    for name, (source, settings) in MOPO_OWN.items():
        yield Preset(f"mopo-own/{name}", source, {**shared, **settings})


def mopo_trpo() -> Iterator[Preset]:
    """MOPO with TRPO, which starts from a clone of the data and imagines whole episodes, as measured here."""
    steady = {"env_settings": {"member": "episode"}, "agent_options": {"actor_ema_decay": 0.9}}
    settings = {
        "algorithm": "mopo",
        "agent": "trpo",
        "penalty_coef": 0.2,
        "penalty_scale": "reward",
        "gradient_steps": 400,
        "fit": COSINE_FIT,
    }
    for name, more, rows in (
        ("hopper-replay", steady, "250 016"),
        ("halfcheetah-jump", {"task": "halfcheetah-jump", **steady}, "300 000"),
        ("ant-angle", {"task": "ant-angle:survive_bonus=1"}, "350 016"),
    ):
        yield Preset(f"mopo-trpo/{name}", _measured("batches", rows), {**settings, **more})


def rambo_trpo() -> Iterator[Preset]:
    """RAMBO with TRPO, as measured here: the adversary follows the policy's way from first observations."""
    settings = {
        "algorithm": "rambo",
        "agent": "trpo",
        "horizon": 100,
        "start": "dataset",
        "adversary": {"adv_weight": 1e-3, "start": "initial", "horizon": 200},
        "agent_options": {"actor_ema_decay": 0.9},
        "gradient_steps": 400,
        "fit": COSINE_FIT,
    }
    yield Preset("rambo-trpo/walker2d-replay", _measured("batches", "300 000"), settings)

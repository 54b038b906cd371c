"""Presets: settings from papers, releases and our own runs, for D4RL's locomotion datasets and new tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offline_envs.registry import Registry

Pair = tuple[int, float]
"""A horizon, and a penalty coefficient or weight of the adversary."""

MOPO_PAPER: Mapping[str, Pair] = {
    "halfcheetah-random": (5, 0.5),
    "hopper-random": (5, 1.0),
    "walker2d-random": (1, 1.0),
    "halfcheetah-medium": (1, 1.0),
    "hopper-medium": (5, 5.0),
    "walker2d-medium": (5, 5.0),
    "halfcheetah-medium-replay": (5, 1.0),
    "hopper-medium-replay": (1, 5.0),
    "walker2d-medium-replay": (1, 1.0),
    "halfcheetah-medium-expert": (5, 5.0),
    "hopper-medium-expert": (5, 1.0),
    "walker2d-medium-expert": (1, 2.0),
}

MOPO_TASKS: Mapping[str, Pair] = {"halfcheetah-jump": (5, 1.0), "ant-angle": (25, 2.0)}
"""Tasks that the data were not collected for, where MOPO's rollouts have uniform actions."""

MOPO_KIT: Mapping[str, Pair] = {
    "halfcheetah-medium": (5, 0.5),
    "hopper-medium": (5, 5.0),
    "walker2d-medium": (5, 0.5),
    "halfcheetah-medium-replay": (5, 0.5),
    "hopper-medium-replay": (5, 2.5),
    "walker2d-medium-replay": (1, 2.5),
    "halfcheetah-medium-expert": (5, 2.5),
    "hopper-medium-expert": (5, 5.0),
    "walker2d-medium-expert": (1, 2.5),
}

MBPO_SHORT = ("walker2d-medium-replay", "walker2d-medium-expert")
"""Datasets on which offline MBPO imagines one step; elsewhere it imagines five."""

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

MOREL_RELEASE: Mapping[str, float] = {"hopper-medium": 3.0}
"""The release's `pessimism_coef`; it gives no other of the paper's datasets."""

RAW = {"standardize_targets": False}
"""Setting of the fit in which all releases, and our own runs so far, differ from the default."""

RAMBO_FIT = {"learning_rate": 3e-4, "patience": 10, "bound_weight": 0.001, **RAW}
"""Settings of the fit that RAMBO's release changes."""

DEMO: Mapping[str, Any] = {
    "dataset": "offline-envs/inverteddoublependulum-replay-v0",
    "gradient_steps": 10_000,
    "horizon": 5,
    "penalty_coef": 0.5,
    "n_envs": 250,
    "transitions_per_gradient_step": 50.0,
    "eval_every": 2_500,
    "eval_episodes": 5,
    "ensemble": {"hidden": [128, 128, 128]},
    "fit": {"weight_decay": [1e-5], "improvement": 1e-3, "patience": 15, "max_epochs": 60},
    "agent_options": {"learning_rate": 1e-3, "policy_kwargs": {"net_arch": [64, 64]}},
}
"""The run of `offline-envs demo`: sized for five minutes on two cores."""

DEMO_SMOKE: Mapping[str, Any] = {
    "gradient_steps": 40,
    "eval_every": 20,
    "eval_episodes": 1,
    "final_episodes": 2,
    "ensemble": {"hidden": [16, 16]},
    "fit": {"weight_decay": [1e-5], "max_epochs": 1},
}
"""Settings that its `--smoke` changes, for a quick check that everything works."""


@dataclass(frozen=True)
class Preset:
    """Settings of a run and their source.

    Attributes:
        name: `<algorithm>/<dataset>` or `<algorithm>/<task>`; `<algorithm>-kit/...` for OfflineRL-Kit's,
            `<algorithm>-trpo/...` for our own.
        source: Table or file that gives them, and the version of the dataset for which they were chosen.
        settings: Settings of a run by name; those left out keep the algorithm's defaults.
    """

    name: str
    source: str
    settings: Mapping[str, Any]


def _mopo() -> Iterator[Preset]:
    paper = "Yu et al. 2020 (arXiv v1), table of hyperparameters; datasets v0"
    kit = "OfflineRL-Kit, suggested hyperparameters of run_mopo.py; datasets v2"
    for family, source, table, steps in (
        ("mopo", paper, MOPO_PAPER, 1_000_000),
        ("mopo-kit", kit, MOPO_KIT, 3_000_000),
    ):
        for dataset, (horizon, coef) in table.items():
            settings = {
                "algorithm": "mopo",
                "horizon": horizon,
                "penalty_coef": coef,
                "fit": RAW,
                "gradient_steps": steps,
            }
            yield Preset(f"{family}/{dataset}", source, settings)


def _mopo_tasks() -> Iterator[Preset]:
    source = "Yu et al. 2020 (arXiv v1), hyperparameters of the out-of-distribution tasks"
    for task, (horizon, coef) in MOPO_TASKS.items():
        settings = {
            "algorithm": "mopo",
            "task": task,
            "horizon": horizon,
            "penalty_coef": coef,
            "fit": RAW,
            "rollout_actions": "uniform",
            "gradient_steps": 1_000_000,
        }
        yield Preset(f"mopo/{task}", source, settings)


def _mopo_trpo() -> Iterator[Preset]:
    settings = {
        "algorithm": "mopo",
        "agent": "trpo",
        "task": "ant-angle:survive_bonus=1",
        "penalty_coef": 0.2,
        "gradient_steps": 600,
        "fit": {"learning_rate": 4e-3, "schedule": "cosine", "max_epochs": 20, **RAW},
    }
    yield Preset("mopo-trpo/ant-angle", "measured here, see docs/results.md; 350 016 replay steps", settings)


def _mbpo() -> Iterator[Preset]:
    source = "Yu et al. 2020 (arXiv v1), MBPO in the table of hyperparameters; datasets v0"
    for dataset in MOPO_PAPER:
        horizon = 1 if dataset in MBPO_SHORT else 5
        yield Preset(f"mbpo/{dataset}", source, {"algorithm": "mbpo", "horizon": horizon, "fit": RAW})


def _rambo() -> Iterator[Preset]:
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
            }
            yield Preset(f"{family}/{dataset}", source, settings)


def _morel() -> Iterator[Preset]:
    source = "Kidambi et al. 2020, configuration of the release; dataset v0"
    for dataset, coefficient in MOREL_RELEASE.items():
        threshold = {"threshold": {"max_over": coefficient}}
        settings = {"algorithm": "morel", "env_settings": threshold, "fit": RAW}
        yield Preset(f"morel/{dataset}", source, settings)


PRESETS: Registry[Preset] = Registry(
    "preset",
    {
        preset.name: preset
        for presets in (_mopo(), _mopo_tasks(), _mopo_trpo(), _mbpo(), _rambo(), _morel())
        for preset in presets
    },
)
"""Every preset by name."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    return PRESETS.find(name)

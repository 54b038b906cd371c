"""MOPO's presets, for D4RL's locomotion datasets and for the tasks that data were not collected for."""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import LOG_STD, RATES_AND_COSINE, RAW, Pair, Preset

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

RELEASE_HAS: Mapping[str, str] = {"mopo/hopper-medium-replay": "; the release has horizon 5 and λ 1"}
"""Where the table and the release's configurations differ."""

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

RELEASE_AGENT: Mapping[str, Any] = {"agent_options": {"target_entropy": -3.0}}
"""MOPO's SAC on D4RL: one target for all bodies, where SAC takes −6 for those with six actions."""

KIT_AGENT: Mapping[str, Any] = {
    **RATES_AND_COSINE,
    "agent_options": {**RATES_AND_COSINE["agent_options"], "max_ent_coef": 1.0},
}
"""OfflineRL-Kit's SAC."""

NO_SPECTRAL_NORM = (
    "no spectral norm, as in the release; the paper's text has it on all layers but that of the variance"
)

KIT_DIFFERS = f"{LOG_STD}; the last step of an episode at a time limit is kept, there it is dropped"


def mopo() -> Iterator[Preset]:
    """MOPO in D4RL's datasets, by the paper and by OfflineRL-Kit."""
    paper = "Yu et al. 2020 (arXiv v1), table of hyperparameters; datasets v0"
    kit = "OfflineRL-Kit, suggested hyperparameters of run_mopo.py; datasets v2"
    for family, source, table, steps, agent, differs in (
        ("mopo", paper, MOPO_PAPER, 1_000_000, RELEASE_AGENT, NO_SPECTRAL_NORM),
        ("mopo-kit", kit, MOPO_KIT, 3_000_000, KIT_AGENT, KIT_DIFFERS),
    ):
        for dataset, (horizon, coef) in table.items():
            own = RELEASE_HAS.get(f"{family}/{dataset}", "")
            settings = {
                "algorithm": "mopo",
                "horizon": horizon,
                "penalty_coef": coef,
                "fit": RAW,
                "gradient_steps": steps,
                **agent,
            }
            yield Preset(f"{family}/{dataset}", source, settings, differs + own)


def mopo_tasks() -> Iterator[Preset]:
    """MOPO in the tasks that the data were not collected for."""
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
        differs = f"{NO_SPECTRAL_NORM}; target entropy −dim(A), which no source gives"
        yield Preset(f"mopo/{task}", source, settings, differs)

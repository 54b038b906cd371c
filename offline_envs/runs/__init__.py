"""Training runs: one policy trained inside one model, scored in the real environment, written to a folder."""

from offline_envs.runs.algorithms import (
    ALGORITHMS,
    EVERY_RUN,
    IN_MODEL,
    Algorithm,
    AlgorithmState,
    ModelBased,
    algorithm,
    merged,
)
from offline_envs.runs.choice.figures import CHOICES
from offline_envs.runs.evaluations.on_evaluation import OnEvaluation
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.plots import plot_returns
from offline_envs.runs.presets.demo import DEMO, DEMO_SMOKE
from offline_envs.runs.presets.preset import Preset
from offline_envs.runs.presets.table import PRESETS, preset
from offline_envs.runs.results import MetricsRow, TrainResult
from offline_envs.runs.run import ModelRun, Run, model_folder
from offline_envs.runs.run_settings import RunSettings
from offline_envs.runs.seeds import SeedResults, SeedRun, Spread, run_seeds
from offline_envs.runs.settings import TrainSettings
from offline_envs.runs.together.runs import run_together
from offline_envs.runs.training import check_possible, train

__all__ = [
    "ALGORITHMS",
    "CHOICES",
    "DEMO",
    "DEMO_SMOKE",
    "EVERY_RUN",
    "IN_MODEL",
    "PRESETS",
    "Algorithm",
    "AlgorithmState",
    "MetricsRow",
    "ModelBased",
    "ModelRun",
    "OnEvaluation",
    "Preset",
    "Run",
    "RunFolder",
    "RunSettings",
    "SeedResults",
    "SeedRun",
    "Spread",
    "TrainResult",
    "TrainSettings",
    "algorithm",
    "check_possible",
    "merged",
    "model_folder",
    "plot_returns",
    "preset",
    "run_seeds",
    "run_together",
    "train",
]

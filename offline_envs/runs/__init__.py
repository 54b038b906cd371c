"""Training runs: one policy trained inside one model, scored in the real environment, written to a folder."""

from offline_envs.runs.algorithms import ALGORITHMS, algorithm, merged
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.model_source import model_folder
from offline_envs.runs.presets import PRESETS, Preset, preset
from offline_envs.runs.result import TrainResult
from offline_envs.runs.settings import TrainSettings
from offline_envs.runs.training import check_possible, train

__all__ = [
    "ALGORITHMS",
    "PRESETS",
    "Preset",
    "RunFolder",
    "TrainResult",
    "TrainSettings",
    "algorithm",
    "check_possible",
    "merged",
    "model_folder",
    "preset",
    "train",
]

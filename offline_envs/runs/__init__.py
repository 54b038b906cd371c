"""Training runs: one policy trained inside one model, scored in the real environment, written to a folder."""

from offline_envs.runs.folder import RunFolder
from offline_envs.runs.model_source import model_folder
from offline_envs.runs.result import TrainResult
from offline_envs.runs.settings import ALGORITHMS, TrainSettings
from offline_envs.runs.training import check_possible, train

__all__ = [
    "ALGORITHMS",
    "RunFolder",
    "TrainResult",
    "TrainSettings",
    "check_possible",
    "model_folder",
    "train",
]

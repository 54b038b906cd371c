"""The dynamics ensemble: its networks, its fit, its uncertainty and its files."""

from offline_envs.dynamics.checkpoint import load_ensemble, read_model_card, save_ensemble
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.report import FitReport
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.training import Fitted, fit
from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.store import (
    cache_folder,
    disagreement_stats,
    ensemble_folder,
    fitted_ensemble,
    fitted_termination,
    load_model,
)
from offline_envs.dynamics.termination_head import LearnedTermination, fit_termination
from offline_envs.dynamics.uncertainty.disagreement import DisagreementStats, dataset_disagreement
from offline_envs.dynamics.uncertainty.measures import (
    MEASURES,
    ensemble_std,
    max_deviation,
    max_disagreement,
    max_std,
    measure,
)
from offline_envs.dynamics.uncertainty.thresholds import RULES, ThresholdRule
from offline_envs.dynamics.uncertainty.unknown import UnknownDetector, obs_scale

__all__ = [
    "MEASURES",
    "RULES",
    "DisagreementStats",
    "EnsembleDynamics",
    "EnsembleSettings",
    "FitReport",
    "FitSettings",
    "Fitted",
    "LearnedTermination",
    "Prediction",
    "ThresholdRule",
    "UnknownDetector",
    "cache_folder",
    "dataset_disagreement",
    "disagreement_stats",
    "ensemble_folder",
    "ensemble_std",
    "fit",
    "fit_termination",
    "fitted_ensemble",
    "fitted_termination",
    "load_ensemble",
    "load_model",
    "max_deviation",
    "max_disagreement",
    "max_std",
    "measure",
    "obs_scale",
    "read_model_card",
    "save_ensemble",
]

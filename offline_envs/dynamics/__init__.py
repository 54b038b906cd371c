"""Dynamics models: ensemble and Gaussian process, fit, uncertainty, files, and the protocol of others."""

from offline_envs.dynamics.checkpoint import read_model, read_model_card, save_model
from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.fused import fused_or_plain
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.ensemble.precision import Predictor, float32, predictor
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.bootstrap import Bootstrap
from offline_envs.dynamics.fitting.fit_state import STATE_FILE, adam_tensors, make_optimizer
from offline_envs.dynamics.fitting.losses import bound_penalty, data_loss, squared_error
from offline_envs.dynamics.fitting.report import FitReport
from offline_envs.dynamics.fitting.rows import Rows, generator_for, output_scale, rows_of_fit, split_index
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.training import Fitted, fit
from offline_envs.dynamics.function_model import DynamicsFunction, FunctionModel
from offline_envs.dynamics.gaussian_process.fitting import FittedProcess, fit_gaussian_process
from offline_envs.dynamics.gaussian_process.model import GaussianProcessDynamics
from offline_envs.dynamics.gaussian_process.settings import GaussianProcessSettings
from offline_envs.dynamics.gaussian_process.store import fitted_gaussian_process, gaussian_process_folder
from offline_envs.dynamics.gradients import Differentiable, with_gradients
from offline_envs.dynamics.history_model import HistoryModel, model_rows
from offline_envs.dynamics.holdout import HOLDOUT, SEEN, Holdout
from offline_envs.dynamics.inventory import LEFTOVER, CacheEntry, cache_entries, delete_entry
from offline_envs.dynamics.kinds import ENSEMBLE, MODEL_KINDS
from offline_envs.dynamics.masked_model import MaskedModel
from offline_envs.dynamics.mean_uncertainty import mean_uncertainty
from offline_envs.dynamics.model import (
    MEMBER_CHOICES,
    DynamicsModel,
    ModelShape,
    PredictsOwn,
    check_members,
    has_saved_form,
    is_dynamics_model,
    n_compared,
)
from offline_envs.dynamics.prediction import DELTA, REWARD, Prediction
from offline_envs.dynamics.store import (
    DISCRIMINATORS,
    cache_folder,
    cached_result,
    disagreement_stats,
    ensemble_folder,
    fitted_ensemble,
    fitted_termination,
    load_ensemble,
    load_model,
    model_identity,
)
from offline_envs.dynamics.termination_head import LearnedTermination, fit_termination
from offline_envs.dynamics.uncertainty.disagreement import (
    DisagreementStats,
    check_comparable,
    dataset_disagreement,
)
from offline_envs.dynamics.uncertainty.distances import DISAGREEMENTS, MAX_DISTANCE, Disagreement
from offline_envs.dynamics.uncertainty.measures import (
    MEASURES,
    Measure,
    ensemble_std,
    max_deviation,
    max_disagreement,
    max_std,
    measure,
)
from offline_envs.dynamics.uncertainty.spread import fitted_spread, mixture_nll, scaled_spread
from offline_envs.dynamics.uncertainty.thresholds import RULES, ThresholdRule
from offline_envs.dynamics.uncertainty.unknown import UNITS, UnknownDetector, disagreement_scale, obs_scale

__all__ = [
    "DELTA",
    "DISAGREEMENTS",
    "DISCRIMINATORS",
    "ENSEMBLE",
    "HOLDOUT",
    "LEFTOVER",
    "MAX_DISTANCE",
    "MEASURES",
    "MEMBER_CHOICES",
    "MODEL_KINDS",
    "REWARD",
    "RULES",
    "SEEN",
    "STATE_FILE",
    "UNITS",
    "Bootstrap",
    "CacheEntry",
    "Differentiable",
    "Disagreement",
    "DisagreementStats",
    "DynamicsFunction",
    "DynamicsModel",
    "EnsembleDynamics",
    "EnsembleSettings",
    "FitReport",
    "FitSettings",
    "Fitted",
    "FittedProcess",
    "FunctionModel",
    "GaussianProcessDynamics",
    "GaussianProcessSettings",
    "HistoryModel",
    "Holdout",
    "LearnedTermination",
    "MaskedModel",
    "Measure",
    "ModelShape",
    "Normalizer",
    "Prediction",
    "Predictor",
    "PredictsOwn",
    "Rows",
    "ThresholdRule",
    "UnknownDetector",
    "adam_tensors",
    "bound_penalty",
    "cache_entries",
    "cache_folder",
    "cached_result",
    "check_comparable",
    "check_members",
    "data_loss",
    "dataset_disagreement",
    "delete_entry",
    "disagreement_scale",
    "disagreement_stats",
    "ensemble_folder",
    "ensemble_std",
    "fit",
    "fit_gaussian_process",
    "fit_termination",
    "fitted_ensemble",
    "fitted_gaussian_process",
    "fitted_spread",
    "fitted_termination",
    "float32",
    "fused_or_plain",
    "gaussian_process_folder",
    "generator_for",
    "has_saved_form",
    "is_dynamics_model",
    "load_ensemble",
    "load_model",
    "make_optimizer",
    "max_deviation",
    "max_disagreement",
    "max_std",
    "mean_uncertainty",
    "measure",
    "mixture_nll",
    "model_identity",
    "model_rows",
    "n_compared",
    "obs_scale",
    "output_scale",
    "predictor",
    "read_model",
    "read_model_card",
    "rows_of_fit",
    "save_ensemble",
    "save_model",
    "scaled_spread",
    "split_index",
    "squared_error",
    "with_gradients",
]

save_ensemble = save_model
"""Name that `save_model` had in version 0.1.0."""

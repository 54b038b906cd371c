"""Evaluation of policies and models: returns, recorded episodes, model errors and calibration."""

from offline_envs.evaluation.aggregates import bootstrap_interval, interquartile_mean, performance_profile
from offline_envs.evaluation.calibration import Calibration
from offline_envs.evaluation.chunks import predict_in_chunks
from offline_envs.evaluation.curves import LearningCurve, plot_curves
from offline_envs.evaluation.intervals import LEVELS, interval_shares, mixture_quantile
from offline_envs.evaluation.model_error import (
    ModelError,
    PredictionError,
    evaluate_with_error,
    one_step_error,
    prediction_error,
)
from offline_envs.evaluation.model_return import ReturnPredictor, model_return
from offline_envs.evaluation.ranking import Bin, rank_correlation, reliability_bins
from offline_envs.evaluation.recorder import (
    EpisodeRecorder,
    info_shapes,
    infos_of,
    keep_shared_infos,
    shared_infos,
)
from offline_envs.evaluation.scale import DataScale
from offline_envs.evaluation.scoring import EnvSource, EvaluationResult, evaluate_in
from offline_envs.evaluation.uncertainty import (
    Uncertainty,
    measure_uncertainty,
    usable_measures,
)

__all__ = [
    "LEVELS",
    "Bin",
    "Calibration",
    "DataScale",
    "EnvSource",
    "EpisodeRecorder",
    "EvaluationResult",
    "LearningCurve",
    "ModelError",
    "PredictionError",
    "ReturnPredictor",
    "Uncertainty",
    "bootstrap_interval",
    "evaluate_in",
    "evaluate_with_error",
    "info_shapes",
    "infos_of",
    "interquartile_mean",
    "interval_shares",
    "keep_shared_infos",
    "measure_uncertainty",
    "mixture_quantile",
    "model_return",
    "one_step_error",
    "performance_profile",
    "plot_curves",
    "predict_in_chunks",
    "prediction_error",
    "rank_correlation",
    "reliability_bins",
    "shared_infos",
    "usable_measures",
]

"""Off-policy evaluation: a policy's return from recorded episodes and models, not the real environment."""

from offline_envs.evaluation.off_policy.behaviour import BehaviourDensity, BehaviourSettings
from offline_envs.evaluation.off_policy.behaviour_fit import fit_behaviour
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.densities import ActionDensity, log_prob_of_steps, log_ratios
from offline_envs.evaluation.off_policy.doubly_robust import (
    DOUBLY_ROBUST_FORMS,
    EpisodeValues,
    doubly_robust,
)
from offline_envs.evaluation.off_policy.episodes import EpisodeGrid, WeightedEpisodes
from offline_envs.evaluation.off_policy.estimate import Estimate
from offline_envs.evaluation.off_policy.fitted_q import (
    FittedQ,
    FittedQSettings,
    estimate_of_values,
    fit_q,
    fitted_q_estimate,
    initial_values,
    policy_actions,
)
from offline_envs.evaluation.off_policy.importance import IMPORTANCE_FORMS, importance_sampling
from offline_envs.evaluation.off_policy.model_based import ImaginedReturns, imagined_returns
from offline_envs.evaluation.off_policy.smoothing import BANDWIDTHS, SmoothedPolicy, expected_values

__all__ = [
    "BANDWIDTHS",
    "DOUBLY_ROBUST_FORMS",
    "IMPORTANCE_FORMS",
    "ActionDensity",
    "BehaviourDensity",
    "BehaviourSettings",
    "Bootstrap",
    "EpisodeGrid",
    "EpisodeValues",
    "Estimate",
    "FittedQ",
    "FittedQSettings",
    "ImaginedReturns",
    "SmoothedPolicy",
    "WeightedEpisodes",
    "doubly_robust",
    "estimate_of_values",
    "expected_values",
    "fit_behaviour",
    "fit_q",
    "fitted_q_estimate",
    "imagined_returns",
    "importance_sampling",
    "initial_values",
    "log_prob_of_steps",
    "log_ratios",
    "policy_actions",
]

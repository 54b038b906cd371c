"""Policies: one protocol on tensors, Stable-Baselines3's `predict`, and adapters between the two."""

from offline_envs.policies.acting import Acting
from offline_envs.policies.nested import on_columns
from offline_envs.policies.policy import Policy, Predictor, PredictPolicy, TensorPolicy, as_policy
from offline_envs.policies.recorded import RecordedActions
from offline_envs.policies.saved import read_agent
from offline_envs.policies.spec import (
    POLICIES,
    ActsIn,
    InModel,
    builds_on,
    check_planner_alone,
    check_policy_spec,
    is_policy_spec,
    needs_model,
    planners,
    policy_from_spec,
)
from offline_envs.policies.torchscript import TORCHSCRIPT_SUFFIX, TorchScriptPolicy
from offline_envs.policies.uniform import UniformChoices, UniformPolicy, uniform

__all__ = [
    "POLICIES",
    "TORCHSCRIPT_SUFFIX",
    "Acting",
    "ActsIn",
    "InModel",
    "Policy",
    "PredictPolicy",
    "Predictor",
    "RecordedActions",
    "TensorPolicy",
    "TorchScriptPolicy",
    "UniformChoices",
    "UniformPolicy",
    "as_policy",
    "builds_on",
    "check_planner_alone",
    "check_policy_spec",
    "is_policy_spec",
    "needs_model",
    "on_columns",
    "planners",
    "policy_from_spec",
    "read_agent",
    "uniform",
]

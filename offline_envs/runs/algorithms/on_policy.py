"""Defaults of agents without a replay buffer, which several algorithms share."""

from collections.abc import Mapping
from typing import Any

ON_POLICY: Mapping[str, Any] = {
    "gradient_steps": 500,
    "eval_every": 10,
    "transitions_per_gradient_step": 25_000.0,
}
"""An agent without a replay buffer takes few steps, each on many transitions."""

TRPO_FROM_CLONE: Mapping[str, Any] = {
    **ON_POLICY,
    "horizon": 500,
    "start": "initial",
    "clone_epochs": 10,
    "n_envs": 100,
    "agent_options": {
        "gamma": 0.995,
        "gae_lambda": 0.97,
        "batch_size": 2500,
        "policy_kwargs": {"net_arch": [128, 128], "log_std_init": -1.0},
    },
}
"""TRPO where no paper has it: settings that `docs/batches.md` measures on ant-angle."""

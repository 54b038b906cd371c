"""MOReL: full episodes in a model that halts where its members disagree (Kidambi et al. 2020)."""

from offline_envs.runs.algorithms.model_based import ModelBased
from offline_envs.runs.algorithms.on_policy import ON_POLICY

# TRPO is the nearest maintained relative of the release's natural policy gradient: it searches along the same
# direction for a step that improves and stays close.
MOREL = ModelBased(
    "PessimisticModel-v0",
    env_settings=("gamma",),  # a halt is discounted with the agent's γ
    defaults={
        "agent": "trpo",
        "horizon": 500,
        "start": "initial",
        "clone_epochs": 5,
        "transitions_per_gradient_step": 250.0,
    },
    agent_defaults={
        "trpo": {
            **ON_POLICY,
            "agent_options": {
                "gamma": 0.999,
                "gae_lambda": 0.97,
                "batch_size": 2500,
                "policy_kwargs": {"net_arch": [64, 64], "log_std_init": -0.25},
            },
        }
    },
)
"""MOReL. Networks, discount, noise, starts and the cloned policy are those of the release."""

"""MOREC: an agent in a model whose steps are filtered by a dynamics reward (Luo et al. 2024)."""

from typing import Any

from offline_envs.agents import AGENTS
from offline_envs.runs.algorithms.model_based import IN_MODEL, ModelBased
from offline_envs.runs.algorithms.on_policy import TRPO_FROM_CLONE
from offline_envs.runs.run_settings import RunSettings

RETAINED = {"agent_options": {"buffer_size": 1_000_000}}
"""Five times the transitions of 1000 gradient steps, as in the release; MOPO keeps 25 times more."""


class ConsistentTraining(ModelBased):
    """MOREC: the discriminators have the run's seed, unless they are given one of their own."""

    def make_vec_options(self, settings: RunSettings) -> dict[str, Any]:
        """See `ModelBased`."""
        options = super().make_vec_options(settings)
        given = options.get("discriminator") or {}
        return {**options, "discriminator": {"seed": settings.seed, **given}}


MOREC = ConsistentTraining(
    "ConsistentModel-v0",
    uses=(*IN_MODEL, "penalty_coef", "penalty_scale"),
    env_settings=("penalty_coef", "penalty", "penalty_members", "penalty_scale"),
    defaults={
        "agent": "sac",
        "penalty_coef": 0.0,
        "horizon": 100,
        "transitions_per_gradient_step": 200.0,
    },
    agent_defaults={
        **{name: RETAINED for name, agent in AGENTS.items() if agent.off_policy},
        "trpo": TRPO_FROM_CLONE,
    },
)
"""MOREC-MOPO; without `penalty_coef`, the filter alone.

As in the release, there are 200 transitions for each gradient step. The filter's settings are `env_settings`,
e.g. `{"selection": "argmax"}`.
"""

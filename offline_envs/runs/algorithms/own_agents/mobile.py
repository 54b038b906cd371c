"""MOBILE: an agent whose targets are penalised where the model's members disagree (Sun et al. 2023)."""

from collections.abc import Mapping
from typing import Any

from offline_envs.dynamics import EnsembleSettings
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms.own_agents.own_agent import WithOwnAgent
from offline_envs.runs.run_settings import RunSettings

RELEASE: Mapping[str, Any] = {
    "actor_learning_rate": 1e-4,
    "temperature_learning_rate": 1e-4,
    "actor_schedule": "cosine",
    "max_ent_coef": 1.0,
    "entropy_backup": False,
}
"""Options of the agent in MOBILE's release on D4RL, whose critics learn at 3e-4 as SAC's do."""


class InconsistencyPenalised(WithOwnAgent):
    """MOBILE: β and its other settings are options of the agent, see `offline_envs.sb3.MOBILE`."""

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        super().check(settings)
        n_elites = settings.nested("ensemble", EnsembleSettings).n_elites
        if settings.model is None and n_elites < 2:
            raise SettingsError(
                f"{settings.algorithm} compares elites, so n_elites must be at least 2, got {n_elites}."
            )


MOBILE_TRAINING = InconsistencyPenalised(
    "LearnedModel-v0",
    own_agent="mobile",
    defaults={"agent": "mobile", "agent_options": RELEASE},
)
"""MOBILE in the model of MBPO, with the learning rates and the entropy of its release."""

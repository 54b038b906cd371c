"""COMBO: an agent with a conservative critic in a model without pessimism (Yu et al. 2021)."""

from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms.own_agents.own_agent import WithOwnAgent
from offline_envs.runs.run_settings import RunSettings


class ConservativeTraining(WithOwnAgent):
    """COMBO: β and its other settings are options of the agent, see `offline_envs.sb3.COMBO`."""

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        super().check(settings)
        batch_size = settings.agent_options.get("batch_size", 256)
        if isinstance(batch_size, int) and int(batch_size * settings.real_ratio) < 1:
            raise SettingsError(
                f"{settings.algorithm} needs rows of the dataset in every batch, so real_ratio times the "
                f"agent's batch_size must be at least 1, got {settings.real_ratio} and {batch_size}."
            )
        if settings.agent_options.get("rho") == "model" and settings.real_ratio == 1:
            raise SettingsError(
                f"{settings.algorithm} with rho='model' needs rows of the model in every batch, got "
                "real_ratio=1. Take a lower one, or rho='mix'."
            )


COMBO_TRAINING = ConservativeTraining(
    "LearnedModel-v0", own_agent="combo", defaults={"agent": "combo", "real_ratio": 0.5}
)
"""COMBO, with the mixture of the paper."""

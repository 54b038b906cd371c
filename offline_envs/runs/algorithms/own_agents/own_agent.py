"""`WithOwnAgent`: an algorithm that is an agent's, in a learned environment."""

from dataclasses import dataclass, field

from offline_envs.data import Transitions, check_continuous
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms.model_based import ModelBased
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import agent_class


@dataclass(frozen=True)
class WithOwnAgent(ModelBased):
    """Training that differs from others in its agent, whose settings are `agent_options`.

    Attributes:
        own_agent: Short name of the agent; subclasses of its class will do as well.
    """

    own_agent: str = field(kw_only=True)

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        if not issubclass(agent_class(settings.agent), agent_class(self.own_agent)):
            raise SettingsError(
                f"{settings.algorithm} needs the agent {self.own_agent}, not {settings.agent}."
            )
        super().check(settings)

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        check_continuous(transitions.discrete_actions, settings.algorithm)
        super().check_data(settings, transitions)

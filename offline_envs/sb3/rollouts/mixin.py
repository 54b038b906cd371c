"""`collecting_as`: an off-policy SB3 agent that collects its transitions in another way."""

from functools import cache
from typing import TypeVar, cast

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.errors import SettingsError

Agent = TypeVar("Agent", bound=BaseAlgorithm)


def collecting_as(way: type[OffPolicyAlgorithm], agent: type[Agent], *, refusal: str) -> type[Agent]:
    """Put the methods of `way` before an agent's own.

    Args:
        way: What overrides; its name becomes part of the new class's.
        agent: Class of the agent.
        refusal: What is said of an agent that does not learn from a replay buffer.

    Returns:
        A subclass of `agent`, the same one at each call, or `agent` itself where it collects so already.

    Raises:
        SettingsError: An agent that does not learn from a replay buffer.
    """
    if issubclass(agent, way):
        return agent
    if not issubclass(agent, OffPolicyAlgorithm):
        raise SettingsError(refusal)
    return cast(type[Agent], _subclass(way, agent))


@cache
def _subclass(way: type[OffPolicyAlgorithm], agent: type[OffPolicyAlgorithm]) -> type[OffPolicyAlgorithm]:
    return type(f"{agent.__name__}With{way.__name__}", (way, agent), {"__doc__": agent.__doc__})

"""`with_mixin`: an off-policy SB3 agent whose collection of transitions is changed by a mixin."""

from functools import cache
from typing import Protocol, TypeVar, cast, runtime_checkable

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.errors import SettingsError

Agent = TypeVar("Agent", bound=BaseAlgorithm)


@runtime_checkable
class ActsUniformly(Protocol):
    """An agent whose actions while it learns may be drawn uniformly instead of by its policy."""

    acts_uniformly: bool


def with_mixin(mixin: type[OffPolicyAlgorithm], agent: type[Agent], *, refusal: str) -> type[Agent]:
    """Put the methods of a mixin before an agent's own.

    Args:
        mixin: What overrides; its name becomes part of the new class's.
        agent: Class of the agent.
        refusal: Message for an agent that does not learn from a replay buffer.

    Returns:
        A subclass of `agent`, the same one at each call, or `agent` itself if it has the mixin already.

    Raises:
        SettingsError: An agent that does not learn from a replay buffer.
    """
    if issubclass(agent, mixin):
        return agent
    if not issubclass(agent, OffPolicyAlgorithm):
        raise SettingsError(refusal)
    return cast(type[Agent], _subclass(mixin, agent))


@cache
def _subclass(mixin: type[OffPolicyAlgorithm], agent: type[OffPolicyAlgorithm]) -> type[OffPolicyAlgorithm]:
    return type(f"{agent.__name__}With{mixin.__name__}", (mixin, agent), {"__doc__": agent.__doc__})

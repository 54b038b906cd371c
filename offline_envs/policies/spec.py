"""`policy_from_spec`: a policy by a text such as `uniform` or `cem:horizon=25`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium.spaces import Box

from offline_envs.errors import SettingsError
from offline_envs.policies.policy import Predictor
from offline_envs.policies.uniform import UniformPolicy
from offline_envs.registry import Registry


@dataclass(frozen=True)
class ActsIn:
    """The context in which a policy is made from a text.

    Attributes:
        action_space: The actions.
        seed: Seed of its randomness.
        mdp: The learned MDP, for policies that plan in it; None where there is no model.
    """

    action_space: Box
    seed: int = 0
    mdp: Any = None


MakePolicy = Callable[[ActsIn, Mapping[str, Any]], Predictor]
"""Makes a policy from the context that it acts in and the settings after the colon."""


def uniform_policy(where: ActsIn, settings: Mapping[str, Any]) -> UniformPolicy:
    """Uniform actions; they have no settings.

    Raises:
        SettingsError: There are settings.
    """
    if settings:
        raise SettingsError(f"The policy 'uniform' has no settings, got {', '.join(settings)}.")
    return UniformPolicy(where.action_space, torch.Generator().manual_seed(where.seed))


POLICIES: Registry[MakePolicy] = Registry("policy", {"uniform": uniform_policy})
"""Every policy that can be made from a text, by the name before the colon. Planners are entered here."""


def is_policy_spec(text: str) -> bool:
    """Whether a text names a policy of `POLICIES`, with or without settings."""
    return text.partition(":")[0] in POLICIES


def policy_from_spec(text: str, where: ActsIn) -> Predictor:
    """Make the policy that a text names.

    Args:
        text: A name in `POLICIES`, alone or with settings, e.g. `"cem:horizon=25,elites=0.1"`. Values are
            read as JSON or, where that fails, as text.
        where: Context that it acts in.

    Raises:
        SettingsError: An unknown name, or settings that are not valid.
    """
    name, _, rest = text.partition(":")
    make = POLICIES.find(name)
    settings: dict[str, Any] = {}
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if not equals or key in settings:
            raise SettingsError(
                f"Settings of a policy are name=value, each once, e.g. 'cem:horizon=25'; got {text!r}."
            )
        settings[key] = _value(value)
    return make(where, settings)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

"""`policy_from_spec`: a policy by a text such as `uniform` or `cem:horizon=25`."""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium.spaces import Box

from offline_envs.data import DiscreteSpace
from offline_envs.errors import SettingsError
from offline_envs.policies.policy import Predictor
from offline_envs.policies.uniform import UniformChoices, UniformPolicy, uniform
from offline_envs.registry import Registry


@dataclass(frozen=True)
class ActsIn:
    """The context in which a policy is made from a text.

    Attributes:
        action_space: The actions.
        seed: Seed of its randomness.
        mdp: The learned MDP, for policies that plan in it; None where there is no model.
        load: Makes another policy from its text or file, for policies that build on one; None where there is
            no such way.
    """

    action_space: Box | DiscreteSpace
    seed: int = 0
    mdp: Any = None
    load: Callable[[str], Predictor] | None = None

    def box(self) -> Box:
        """The actions, for policies of continuous ones.

        Raises:
            SettingsError: They are discrete.
        """
        if not isinstance(self.action_space, Box):
            raise SettingsError(f"A planner needs continuous actions, a Box, got {self.action_space}.")
        return self.action_space


MakePolicy = Callable[[ActsIn, Mapping[str, Any]], Predictor]
"""Makes a policy from the context that it acts in and the settings after the colon."""


def uniform_policy(where: ActsIn, settings: Mapping[str, Any]) -> UniformPolicy | UniformChoices:
    """Uniform actions; they have no settings.

    Raises:
        SettingsError: There are settings.
    """
    if settings:
        raise SettingsError(f"The policy 'uniform' has no settings, got {', '.join(settings)}.")
    return uniform(where.action_space, torch.Generator().manual_seed(where.seed))


@dataclass(frozen=True)
class InModel:
    """A policy that plans in a learned model; its class is imported when one is made.

    Attributes:
        module: Module that holds the class.
        class_name: Name of the class, a `Planner`, of which `from_settings`, `chosen` and `builds_on` are
            called.
    """

    module: str
    class_name: str

    def load(self) -> Any:
        """Import the class."""
        return getattr(importlib.import_module(self.module), self.class_name)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that are not valid, before a model is made for the policy.

        Raises:
            SettingsError: They are not.
        """
        self.load().chosen(settings)

    def __call__(self, where: ActsIn, settings: Mapping[str, Any]) -> Predictor:
        """Make the policy, see `MakePolicy`.

        Raises:
            SettingsError: There is no model, or settings that are not valid.
        """
        where.box()
        if where.mdp is None:
            raise SettingsError(
                f"{self.class_name} plans in a learned model, and none is given. Name the dataset that it is "
                "learned from."
            )
        planner: Predictor = self.load().from_settings(where, settings)
        return planner


PLANNING = "offline_envs.planning"

POLICIES: Registry[MakePolicy] = Registry(
    "policy",
    {
        "uniform": uniform_policy,
        "shooting": InModel(PLANNING, "RandomShooting"),
        "cem": InModel(PLANNING, "CEM"),
        "icem": InModel(PLANNING, "ICEM"),
        "mppi": InModel(PLANNING, "MPPI"),
        "mbop": InModel(PLANNING, "MBOP"),
        "gradient": InModel(PLANNING, "GradientPlanner"),
        "ilqr": InModel(PLANNING, "ILQR"),
    },
)
"""Every policy that can be made from a text, by the name before the colon."""


def planners() -> list[str]:
    """Names of the policies that plan in a model, in the table's order."""
    return [name for name, make in POLICIES.items() if isinstance(make, InModel)]


def needs_model(text: str) -> bool:
    """Whether a text names a policy that plans in a model."""
    return text.partition(":")[0] in planners()


def is_policy_spec(text: str) -> bool:
    """Whether a text names a policy of `POLICIES`, with or without settings."""
    return text.partition(":")[0] in POLICIES


def policy_from_spec(text: str, where: ActsIn) -> Predictor:
    """Make the policy that a text names.

    Args:
        text: A name in `POLICIES`, alone or with settings, e.g. `"cem:horizon=25,elites=20"`. Values are
            read as JSON or, where that fails, as text.
        where: Context that it acts in.

    Raises:
        SettingsError: An unknown name, or settings that are not valid.
    """
    make, settings = _read(text)
    return make(where, settings)


def builds_on(text: str) -> str | None:
    """The policy on which the policy of a text builds: a planner's `prior`.

    Returns:
        Its text or file, empty if it is needed but not named; None if there is none.

    Raises:
        SettingsError: The text names no policy, or its settings about the other one are not valid.
    """
    make, settings = _read(text)
    other: str | None = make.load().builds_on(settings) if isinstance(make, InModel) else None
    return other


def check_policy_spec(text: str) -> None:
    """Refuse a text that names no policy, or a planner with settings that are not valid.

    Raises:
        SettingsError: It does.
    """
    make, settings = _read(text)
    if isinstance(make, InModel):
        make.check(settings)


def check_planner_alone(text: str, setting: str) -> None:
    """Refuse all but a planner that builds on no other policy, with settings that are valid.

    Args:
        text: What is to be the text of a planner.
        setting: What holds it, for the message; something that loads no other policy.

    Raises:
        SettingsError: It is anything else.
    """
    if builds_on(text) is not None:
        raise SettingsError(
            f"{setting} must be a planner that builds on no other policy, as none is loaded for it, got "
            f"{text!r}. Leave prior out, and take a planner that needs none, e.g. 'icem:horizon=10'."
        )
    if not needs_model(text):
        raise SettingsError(f"{setting} must be a planner, one of {', '.join(planners())}, got {text!r}.")
    check_policy_spec(text)


def _read(text: str) -> tuple[MakePolicy, dict[str, Any]]:
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
    return make, settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

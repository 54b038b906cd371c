"""A policy saved by Stable-Baselines3, as an argument of a command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offline_envs.agents import AGENTS
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from gymnasium import Space
    from stable_baselines3.common.base_class import BaseAlgorithm

Agent = Annotated[str, typer.Option(help=f"Agent that saved the policy: {', '.join(AGENTS)}.")]


def load_policy(policy: Path, agent: str) -> "BaseAlgorithm":
    """Read a policy onto the CPU.

    Raises:
        SettingsError: An unknown agent, no such file, or a file that is not its policy.
    """
    from offline_envs.sb3 import agent_class

    agent_type = agent_class(agent)
    if not policy.is_file():
        raise SettingsError(f"There is no file {policy}. Give a policy that Stable-Baselines3 saved.")
    try:
        return agent_type.load(policy, device="cpu")
    except Exception as error:  # SB3 lets through whatever zipfile, pickle or torch raise
        raise SettingsError(f"{policy} cannot be loaded as a policy of {agent}: {error}") from error


def check_shape(name: str, policy: "Space[object]", expected: tuple[int, ...] | None, owner: str) -> None:
    """Refuse a policy for other observations or actions.

    Args:
        name: What the space is of, `"observation"` or `"action"`.
        policy: The policy's space.
        expected: The shape that it must have.
        owner: Name of the thing that has this shape, for the message.

    Raises:
        SettingsError: The shapes differ.
    """
    if policy.shape != expected:
        raise SettingsError(
            f"The policy has {name} space of shape {policy.shape}, but the {owner} {expected}."
        )

"""A policy as an argument of a command: a file of Stable-Baselines3, or a text such as `uniform`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offline_envs.agents import AGENTS
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from gymnasium.spaces import Box, Space
    from stable_baselines3.common.base_class import BaseAlgorithm

    from offline_envs.policies import Predictor

POLICY_HELP = (
    "A policy saved by Stable-Baselines3 (.zip; it can run code: trust it), or uniform for uniform actions."
)

Agent = Annotated[str, typer.Option(help=f"Agent that saved the policy: {', '.join(AGENTS)}.")]


def find_policy(
    policy: str, agent: str, *, obs_shape: tuple[int, ...] | None, action_space: "Box", owner: str, seed: int
) -> "Predictor":
    """Make or load the policy that an argument names.

    Args:
        policy: The argument.
        agent: Agent that saved it, if it is a file.
        obs_shape: Shape of the observations that it will see.
        action_space: Actions that it has to choose from.
        owner: Name of the thing that has these spaces, for the message.
        seed: Seed of a policy that is made.

    Raises:
        SettingsError: An unknown name, no such file, or a policy of other spaces.
    """
    from offline_envs.policies import POLICIES, ActsIn, is_policy_spec, policy_from_spec

    if is_policy_spec(policy):
        return policy_from_spec(policy, ActsIn(action_space, seed))
    if not Path(policy).is_file():
        raise SettingsError(
            f"There is no file {policy}. Give a policy that Stable-Baselines3 saved, or one of "
            f"{', '.join(POLICIES)}."
        )
    loaded = load_policy(Path(policy), agent)
    check_shape("observation", loaded.observation_space, obs_shape, owner)
    check_shape("action", loaded.action_space, action_space.shape, owner)
    return loaded


def load_policy(policy: Path, agent: str) -> "BaseAlgorithm":
    """Read a policy onto the CPU.

    Raises:
        SettingsError: An unknown agent, or a file that is not its policy.
    """
    from offline_envs.sb3 import agent_class

    agent_type = agent_class(agent)
    try:
        return agent_type.load(policy, device="cpu")
    except Exception as error:  # SB3 passes on whatever zipfile, pickle or torch raise
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

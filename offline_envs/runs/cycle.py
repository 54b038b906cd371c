"""`Cycle`: collecting transitions and learning from them, in turn."""

import math
from dataclasses import dataclass, field
from typing import Any

from offline_envs.agents import AGENTS
from offline_envs.errors import SettingsError
from offline_envs.sb3 import RATIO_TOLERANCE, mopo_schedule


@dataclass(frozen=True)
class Cycle:
    """Numbers of model transitions and gradient steps that alternate during training.

    Attributes:
        timesteps: Model transitions that are collected.
        gradient_steps: Gradient steps that follow.
        keywords: The same, as keywords of the agent's constructor.
    """

    timesteps: int
    gradient_steps: int
    keywords: dict[str, Any] = field(default_factory=dict)

    def n_cycles(self, gradient_steps: int) -> int:
        """Number of cycles, the fewest that take at least so many gradient steps."""
        return math.ceil(gradient_steps / self.gradient_steps)


def make_cycle(agent: str, *, n_envs: int, horizon: int, ratio: float) -> Cycle:
    """Plan the cycle of an agent.

    Args:
        agent: Short name of the agent.
        n_envs: Imagined episodes advanced together.
        horizon: Steps of an imagined episode.
        ratio: Model transitions for each gradient step; for TRPO, for each step of its policy.

    Raises:
        SettingsError: A number that is not positive; or, where all episodes step together before the agent
            learns, a ratio below `n_envs` or not within 1 % of a multiple of it.
    """
    if AGENTS.find(agent).off_policy:
        schedule = mopo_schedule(n_envs, horizon, transitions_per_gradient_step=ratio)
        timesteps = schedule["train_freq"] * n_envs
        return Cycle(timesteps, schedule["gradient_steps"], {**schedule})
    if not ratio >= n_envs:
        raise SettingsError(
            f"{agent} learns after whole steps of all episodes: transitions_per_gradient_step must be at "
            f"least n_envs={n_envs}, got {ratio}."
        )
    n_steps = round(ratio / n_envs)
    if abs(n_steps * n_envs / ratio - 1) > RATIO_TOLERANCE:
        below = int(ratio // n_envs) * n_envs
        raise SettingsError(
            f"{agent} learns after whole steps of all episodes: transitions_per_gradient_step must be within "
            f"1 % of a multiple of n_envs={n_envs}, got {ratio}. The nearest are {below} and "
            f"{below + n_envs}."
        )
    return Cycle(n_steps * n_envs, 1, {"n_steps": n_steps})

"""What is suspicious about a dataset although it can be used."""

from collections.abc import Callable, Mapping

from offline_envs.data.health.actions import action_bounds, action_spread
from offline_envs.data.health.columns import (
    constant_columns,
    float32_steps,
    nearly_constant_columns,
    outliers,
    scales,
)
from offline_envs.data.health.findings import Finding
from offline_envs.data.health.steps import (
    duplicate_episodes,
    duplicate_steps,
    short_episodes,
    terminations,
    unmarked_ends,
)
from offline_envs.data.transitions import Transitions

__all__ = ["CHECKS", "Finding", "data_health"]

CHECKS: Mapping[str, Callable[[Transitions], str]] = {
    "constant columns": constant_columns,
    "nearly constant columns": nearly_constant_columns,
    "scales": scales,
    "outliers": outliers,
    "float32 steps": float32_steps,
    "action spread": action_spread,
    "action bounds": action_bounds,
    "duplicate steps": duplicate_steps,
    "duplicate episodes": duplicate_episodes,
    "short episodes": short_episodes,
    "terminations": terminations,
    "unmarked ends": unmarked_ends,
}
"""Every check by name: it says what it found and what to do about it, or nothing."""


def data_health(transitions: Transitions) -> list[Finding]:
    """Look for what is suspicious in a dataset that `load_transitions` accepts.

    Returns:
        The result of every row of `CHECKS`, in their order.
    """
    return [Finding(name, check(transitions)) for name, check in CHECKS.items()]

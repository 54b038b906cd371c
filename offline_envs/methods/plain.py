"""`Plain`: the model without pessimism, as MBPO uses it (Janner et al. 2019)."""

from dataclasses import dataclass

from offline_envs.methods.base import Method


@dataclass(frozen=True)
class Plain(Method):
    """The model's own rewards and terminations; it has no settings."""

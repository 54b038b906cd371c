"""NEUBAY in its Markov form: full episodes that are truncated where members disagree (arXiv 2512.04341)."""

from collections.abc import Mapping
from typing import Any

from offline_envs.agents import AGENTS, off_policy_agents
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms.model_based import ModelBased
from offline_envs.runs.run_settings import RunSettings

TRUNCATED: Mapping[str, Any] = {
    "on_unknown": "truncate",
    "disagreement": "std",
    "halt_members": "elites",  # the paper keeps the best of its members, and follows and compares those
    "threshold": {"quantile": 1.0},
}
"""Settings of the environment: unknown is what disagrees more than every pair of the dataset."""


class Neubay(ModelBased):
    """NEUBAY with an agent that sees the current observation only; see `NEUBAY`."""

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        super().check(settings)
        if not AGENTS.find(settings.agent).off_policy:
            raise SettingsError(
                f"{settings.algorithm} needs an agent with a replay buffer, such as "
                f"{off_policy_agents()[0]}, not {settings.agent}."
            )


NEUBAY = Neubay(
    "PessimisticModel-v0",
    defaults={
        "agent": "redq",
        "horizon": 1000,
        "n_envs": 100,
        "transitions_per_gradient_step": 20.0,
        "env_settings": TRUNCATED,
        "ensemble": {"n_members": 25, "n_elites": 20, "layer_norm": True, "activation": "leaky_relu"},
        "agent_options": {"learning_rate": 1e-4, "buffer_size": 2_000_000},
    },
    agent_defaults={name: {"agent_options": {"critic_layer_norm": True}} for name in ("redq", "fastsac")},
)
"""The Markov form of NEUBAY: no pessimism in the reward, one member an episode, horizons of whole episodes.

Critics are layer-normalised, as the release's are: nothing in the rewards keeps values from growing.

What differs from the paper: the agent is not recurrent, so it cannot infer in which member it acts; its actor
is not layer-normalised, and its activations are ReLU's; gradients are not scaled, losses are not Huber's, and
the actor's learning rate stays. Members, batch size and buffer are smaller; the presets have the release's.
"""

"""NEUBAY's presets, in its Markov form: a SAC agent without memory in the truncated model."""

from collections.abc import Iterator, Mapping
from typing import Any

from offline_envs.runs.presets.preset import Preset

REAL_SHARES: Mapping[str, float] = {
    "halfcheetah-medium-replay": 0.05,
    "hopper-medium-replay": 0.5,
    "walker2d-medium-replay": 0.5,
}
"""Weight of real rows in the release's losses, for its recurrent agent; here their share of a batch."""

FIXED_TEMPERATURE = ("hopper-medium-replay",)
"""Datasets on which the release keeps SAC's temperature."""

MEMBERS: Mapping[str, Any] = {"n_members": 128, "n_elites": 100}
"""Members of the release's ensemble, which are as deep and wide as the algorithm's own."""


DIFFERS = (
    "the agent is not recurrent; its actor is not layer-normalised; losses are squared, there Huber's; the "
    "fit's weight decay is Adam's, there AdamW's; bounds of log σ are learned"
)


def neubay() -> Iterator[Preset]:
    """NEUBAY in D4RL's replay datasets.

    The release (offline_markov.py, an ablation of the paper) differs in its critics and optimisers, see
    `offline_envs.runs.algorithms.neubay`, and in the fit: its weight decay is decoupled from the gradient
    (AdamW), and its bounds of the log-deviation are fixed.
    """
    source = "NEUBAY (arXiv 2512.04341), configurations of the release, in their Markov form; datasets v2"
    for dataset, share in REAL_SHARES.items():
        settings = {
            "algorithm": "neubay",
            "real_ratio": share,
            "gradient_steps": 2_000_000,
            "ensemble": MEMBERS,
            "fit": {"weight_decay": [5e-5], "bootstrap": False},
            "agent_options": {
                "learning_rate": 1e-4,
                "batch_size": 2048,
                "buffer_size": 40_000_000,
                "ent_coef": 0.2 if dataset in FIXED_TEMPERATURE else "auto_0.2",
                "actor_schedule": "cosine",
            },
        }
        yield Preset(f"neubay/{dataset}", source, settings, DIFFERS)

"""The settings of `offline-envs demo`."""

from collections.abc import Mapping
from typing import Any

DEMO: Mapping[str, Any] = {
    "dataset": "offline-envs/inverteddoublependulum-replay-v0",
    "gradient_steps": 10_000,
    "horizon": 5,
    "penalty_coef": 0.5,
    "n_envs": 250,
    "transitions_per_gradient_step": 50.0,
    "eval_every": 2_500,
    "eval_episodes": 5,
    "ensemble": {"hidden": [128, 128, 128]},
    "fit": {"weight_decay": [1e-5], "improvement": 1e-3, "patience": 15, "max_epochs": 60},
    "agent_options": {"learning_rate": 1e-3, "policy_kwargs": {"net_arch": [64, 64]}},
}
"""The run of `offline-envs demo`: sized for five minutes on two cores."""

DEMO_SMOKE: Mapping[str, Any] = {
    "gradient_steps": 50,  # two cycles
    "eval_every": 25,
    "eval_episodes": 1,
    "final_episodes": 2,
    "ensemble": {"hidden": [16, 16]},
    "fit": {"weight_decay": [1e-5], "max_epochs": 1},
}
"""Settings that its `--smoke` changes, for a quick check that everything works."""

"""Model-free algorithms of d3rlpy, on the same rows and scored in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offline_envs.runs.algorithms.model_free.baseline import ModelFree
from offline_envs.runs.run_settings import RunSettings

__all__ = ["MODEL_FREE"]

DEFAULTS: Mapping[str, Any] = {"gradient_steps": 500_000}
"""d3rlpy's own reproductions train that long, but for two algorithms."""

LONGER: Mapping[str, Any] = {"gradient_steps": 1_000_000}
"""Those of PLAS, half of whose steps are its warm-up, and of ReBRAC."""

STANDARDIZED: Mapping[str, Any] = {"observation_scaler": {"type": "standard", "params": {}}}


def mlp(*hidden: int, **params: Any) -> dict[str, Any]:
    """A network's hidden layers, in d3rlpy's form."""
    return {"type": "vector", "params": {"hidden_units": list(hidden), **params}}


def networks(actor: dict[str, Any], critic: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    """The networks of an algorithm by d3rlpy's names."""
    parts = {"actor": actor, "critic": critic, **others}
    return {f"{name}_encoder_factory": network for name, network in parts.items()}


@dataclass(frozen=True, kw_only=True)
class CosineActor(ModelFree):
    """The actor's learning rate falls to zero along a cosine over the whole run."""

    def run_config(self, settings: RunSettings) -> dict[str, Any]:
        """See `ModelFree`."""
        schedule = {"type": "cosine_annealing", "params": {"T_max": settings.gradient_steps}}
        optimizer = {"type": "adam", "params": {"lr_scheduler_factory": schedule}}
        return {"actor_optim_factory": optimizer, **super().run_config(settings)}


MODEL_FREE: Mapping[str, ModelFree] = {
    "td3bc": ModelFree(defaults=DEFAULTS, learner="TD3PlusBC", config=STANDARDIZED),
    "iql": CosineActor(
        defaults=DEFAULTS,
        learner="IQL",
        config={"reward_scaler": {"type": "return", "params": {"multiplier": 1000.0}}},
    ),
    "cql": ModelFree(
        defaults=DEFAULTS,
        learner="CQL",
        config={"alpha_learning_rate": 0.0, **networks(mlp(256, 256, 256), mlp(256, 256, 256))},
    ),
    "awac": ModelFree(
        defaults=DEFAULTS,
        learner="AWAC",
        config={
            "actor_optim_factory": {"type": "adam", "params": {"weight_decay": 1e-4}},
            **networks(mlp(256, 256, 256, 256), mlp(256, 256, 256, 256)),
        },
    ),
    "bcq": ModelFree(
        defaults=DEFAULTS,
        learner="BCQ",
        config=networks(mlp(400, 300), mlp(400, 300), imitator=mlp(750, 750)),
    ),
    "bear": ModelFree(
        defaults=DEFAULTS,
        learner="BEAR",
        config={
            "temp_learning_rate": 0.0,
            "initial_temperature": 1e-20,
            "warmup_steps": 40_000,
            "imitator_encoder_factory": mlp(750, 750),
        },
    ),
    "crr": ModelFree(
        defaults=DEFAULTS,
        learner="CRR",
        config={"batch_size": 256, "weight_type": "binary", "target_update_type": "soft"},
    ),
    "plas": ModelFree(
        defaults=LONGER,
        learner="PLAS",
        config={
            "lam": 1.0,
            "warmup_steps": 500_000,
            **networks(mlp(400, 300), mlp(400, 300), imitator=mlp(750, 750)),
        },
    ),
    "prdc": ModelFree(defaults=DEFAULTS, learner="PRDC", config=STANDARDIZED),
    "rebrac": ModelFree(
        defaults=LONGER,
        learner="ReBRAC",
        config={
            "actor_beta": 0.01,
            "critic_beta": 0.01,
            **STANDARDIZED,
            **networks(mlp(256, 256, 256), mlp(256, 256, 256, use_layer_norm=True)),
        },
        for_next_actions=True,
    ),
}
"""Every one by the name that a run takes. Where they differ from d3rlpy's defaults, they follow the scripts
with which d3rlpy reproduces the papers on D4RL's MuJoCo data. Those scripts choose some numbers by dataset:
here CQL's `conservative_weight` is 5, BEAR's `mmd_kernel` Laplacian, and both betas of ReBRAC 0.01.
The `warmup_steps` are d3rlpy's defaults, named here so that the length of a run can be held against them.
"""

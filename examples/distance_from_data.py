"""Measure with a model how far real episodes are from its data.

`UncertaintyPenalty` measures every real step by MOPO's penalty (Yu et al. 2020, section 4.3): low where the
dataset has been, high where it has not.

    python examples/distance_from_data.py
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from offline_envs import load_transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, fitted_ensemble
from offline_envs.wrappers import UncertaintyPenalty

Actions = Callable[[np.random.Generator], NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """The model, and the number of real episodes."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    ensemble: Mapping[str, Any] = field(default_factory=lambda: {"hidden": [64, 64]})
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 20})
    n_episodes: int = 50
    seed: int = 0


def mean_penalty(env: gym.Env[Any, Any], actions: Actions, settings: Settings) -> float:
    """Mean penalty of all steps of some episodes, with actions that do not look at the observation."""
    generator = np.random.default_rng(settings.seed)
    penalties = []
    for episode in range(settings.n_episodes):
        env.reset(seed=settings.seed + episode)
        ended = False
        while not ended:
            _, _, terminated, truncated, info = env.step(actions(generator))
            penalties.append(info["penalty"])
            ended = terminated or truncated
    return float(np.mean(penalties))


def main(settings: Settings) -> dict[str, float]:
    """Compare actions like the dataset's with actions that lead away from it."""
    transitions = load_transitions(settings.dataset)
    model = fitted_ensemble(
        transitions,
        EnsembleSettings.from_json(settings.ensemble),
        fit_settings=FitSettings.from_json(settings.fit),
    )
    env = UncertaintyPenalty(transitions.make_env(), penalty_coef=1.0, model=model)
    recorded, low, high = (
        transitions.actions.numpy(),
        transitions.action_space.low,
        transitions.action_space.high,
    )
    policies: dict[str, Actions] = {
        "as in the dataset": lambda generator: generator.choice(recorded),
        "anything allowed": lambda generator: generator.uniform(low, high).astype(np.float32),
        "as hard as allowed": lambda generator: np.where(generator.random() < 0.5, low, high),
        "always to the right": lambda generator: high,
    }
    penalties = {name: mean_penalty(env, actions, settings) for name, actions in policies.items()}
    env.close()
    for name, penalty in penalties.items():
        print(f"actions {name + ':':22} mean penalty {penalty:.3f}")
    return penalties


if __name__ == "__main__":
    main(Settings())

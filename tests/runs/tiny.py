"""The smallest run there is: a few gradient steps in the dataset that comes with the package."""

from typing import Any

from offline_envs.runs import TrainResult, TrainSettings, algorithm

DEMO = "offline-envs/inverteddoublependulum-replay-v0"

ENSEMBLE, FIT = {"hidden": [16, 16]}, {"max_epochs": 1}


def tiny_settings(**changes: Any) -> TrainSettings:
    """Six gradient steps, with a model in three cycles of eight transitions and two gradient steps."""
    options: dict[str, Any] = {
        "dataset": DEMO,
        "gradient_steps": 6,
        "horizon": 2,
        "n_envs": 4,
        "transitions_per_gradient_step": 4.0,
        "eval_every": 2,
        "eval_episodes": 1,
        "final_episodes": 2,
        "agent_options": {"policy_kwargs": {"net_arch": [8]}, "batch_size": 16},
    }
    uses = algorithm(changes.get("algorithm", TrainSettings.algorithm)).uses
    return TrainSettings(**{**{name: value for name, value in options.items() if name in uses}, **changes})


def some_result(**changes: Any) -> TrainResult:
    """Final figures of a run."""
    figures: dict[str, Any] = {
        "seed": 0,
        "dataset_mean": 1.0,
        "dataset_best": 2.0,
        "predicted_return": 3.0,
        "real_return": 4.0,
        "real_std": 0.5,
        "n_episodes": 20,
        "normalized_score": 10.0,
        "score_source": None,
        "rank_correlation": None,
        "n_exploded": 0,
        "gradient_steps": 100,
    }
    return TrainResult(**{**figures, **changes})

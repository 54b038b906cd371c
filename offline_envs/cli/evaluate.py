"""`offline-envs evaluate`: score a saved policy in the real environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from offline_envs.cli.options import EnvId
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from offline_envs.sb3 import EvaluationResult


def evaluate(
    policy: Annotated[
        Path, typer.Argument(help="Policy saved by Stable-Baselines3 (.zip). It can run code: trust it.")
    ],
    env_id: EnvId = None,
    dataset: Annotated[
        str | None, typer.Option(help="Take the environment from this dataset, and compare with it.")
    ] = None,
    agent: Annotated[str, typer.Option(help="Algorithm that saved it: sac, td3, ddpg, tqc, crossq.")] = "sac",
    episodes: Annotated[int, typer.Option(help="Number of episodes.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first episode.", min=0)] = 0,
) -> None:
    """Score a saved policy by its deterministic actions in the real environment."""
    import gymnasium as gym

    from offline_envs.data import load_transitions
    from offline_envs.sb3 import evaluate_in

    if dataset is None and env_id is None:
        raise SettingsError(
            "Give the real environment: --env-id Hopper-v5, or --dataset of one that names it."
        )
    transitions = None if dataset is None else load_transitions(dataset, env_id=env_id)
    env = gym.make(str(env_id)) if transitions is None else transitions.make_env()
    table = _table(evaluate_in(env, _load(policy, agent), n_episodes=episodes, seed=seed))
    env.close()
    if transitions is not None:
        returns = transitions.episode_returns
        table.add_row("dataset: mean, best", f"{returns.mean():.1f}, {returns.max():.1f}")
    Console().print(table)


def _load(policy: Path, agent: str) -> "BaseAlgorithm":
    from offline_envs.sb3 import agent_class

    try:
        return agent_class(agent).load(policy, device="cpu")
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(f"{policy} cannot be loaded as a policy of {agent}: {error}") from error


def _table(result: "EvaluationResult") -> Table:
    table = Table(title=f"{len(result.returns)} episodes of {result.env_id}", show_header=False)
    table.add_row("return", f"{result.mean:.1f} ± {result.std:.1f}")
    table.add_row("from, to", f"{result.returns.min():.1f}, {result.returns.max():.1f}")
    table.add_row("length", f"{result.mean_length:.0f}")
    if result.normalized_score is not None:
        table.add_row("normalised score", f"{result.normalized_score:.1f} ± {result.normalized_std:.1f}")
        table.caption = f"0 = random, 100 = expert: {result.source}"
    return table

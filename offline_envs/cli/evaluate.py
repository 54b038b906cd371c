"""`offline-envs evaluate`: score a saved policy in the real environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from offline_envs.cli.options import EnvId
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    import gymnasium as gym
    from stable_baselines3.common.base_class import BaseAlgorithm

    from offline_envs.data import Transitions
    from offline_envs.sb3 import EvaluationResult


def evaluate(
    policy: Annotated[
        Path, typer.Argument(help="Policy saved by Stable-Baselines3 (.zip). It can run code: trust it.")
    ],
    env_id: EnvId = None,
    dataset: Annotated[
        str | None, typer.Option(help="Take the environment from this dataset, and compare with it.")
    ] = None,
    agent: Annotated[
        str, typer.Option(help="Algorithm that saved it: sac, td3, ddpg, tqc, crossq, trpo.")
    ] = "sac",
    episodes: Annotated[int, typer.Option(help="Number of episodes.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first episode.", min=0)] = 0,
) -> None:
    """Score a saved policy by its deterministic actions in the real environment."""
    from offline_envs.sb3 import evaluate_in

    if dataset is None and env_id is None:
        raise SettingsError(
            "Give the real environment: --env-id Hopper-v5, or --dataset of one that names it."
        )
    loaded = _load(policy, agent)
    env, transitions = _environment(env_id, dataset)
    _check_spaces(loaded, env)
    table = _table(evaluate_in(env, loaded, n_episodes=episodes, seed=seed))
    env.close()
    if transitions is not None:
        returns = transitions.episode_returns
        table.add_row("dataset: mean, best", f"{returns.mean():.1f}, {returns.max():.1f}")
    Console().print(table)


def _load(policy: Path, agent: str) -> "BaseAlgorithm":
    from offline_envs.sb3 import agent_class

    agent_type = agent_class(agent)
    if not policy.is_file():
        raise SettingsError(f"There is no file {policy}. Give a policy that Stable-Baselines3 saved.")
    try:
        return agent_type.load(policy, device="cpu")
    except Exception as error:  # SB3 lets through whatever zipfile, pickle or torch raise
        raise SettingsError(f"{policy} cannot be loaded as a policy of {agent}: {error}") from error


def _environment(env_id: str | None, dataset: str | None) -> "tuple[gym.Env[Any, Any], Transitions | None]":
    import gymnasium as gym

    from offline_envs.data import load_transitions
    from offline_envs.data.environment import known_environment

    if dataset is None:
        return gym.make(known_environment(str(env_id)).spec), None
    transitions = load_transitions(dataset, env_id=env_id)
    return transitions.make_env(), transitions


def _check_spaces(policy: "BaseAlgorithm", env: "gym.Env[Any, Any]") -> None:
    for name in ("observation_space", "action_space"):
        theirs, ours = getattr(policy, name).shape, getattr(env, name).shape
        if theirs != ours:
            raise SettingsError(
                f"The policy has {name.replace('_', ' ')} of shape {theirs}, but the environment {ours}."
            )


def _table(result: "EvaluationResult") -> Table:
    table = Table(title=f"{len(result.returns)} episodes of {result.env_id}", show_header=False)
    table.add_row("return", f"{result.mean:.1f} ± {result.std:.1f}")
    table.add_row("from, to", f"{result.returns.min():.1f}, {result.returns.max():.1f}")
    table.add_row("length", f"{result.mean_length:.0f}")
    if result.normalized_score is not None:
        table.add_row("normalised score", f"{result.normalized_score:.1f} ± {result.normalized_std:.1f}")
        table.caption = f"0 = random, 100 = expert: {result.source}"
    return table

"""`offline-envs evaluate`: score a policy in the real environment."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from offline_envs.cli.terminal.options import (
    LEARNED_ENV,
    POLICY_HELP,
    Agent,
    ColumnsOption,
    EnvId,
    EnvKwargs,
    History,
    LearnedEnv,
    LearnedKwargs,
    TaskName,
    TrustDataset,
    check_learned_options,
    find_policy,
    learned_mdp,
    parse_columns,
    parse_env,
    parse_json,
)
from offline_envs.cli.terminal.run_of_policy import history_of, task_of
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    import gymnasium as gym
    from gymnasium.envs.registration import EnvSpec
    from gymnasium.spaces import Box

    from offline_envs.data import Transitions
    from offline_envs.evaluation import EvaluationResult


def evaluate(
    policy: Annotated[str, typer.Argument(help=POLICY_HELP)],
    columns: ColumnsOption = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    dataset: Annotated[
        str | None, typer.Option(help="Take the environment from this dataset, and compare with its returns.")
    ] = None,
    trust_dataset: TrustDataset = False,
    history: History = None,
    task: TaskName = None,
    agent: Agent = "sac",
    learned_env: LearnedEnv = LEARNED_ENV,
    learned_kwargs: LearnedKwargs = "{}",
    episodes: Annotated[int, typer.Option(help="Number of episodes.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first episode.", min=0)] = 0,
) -> None:
    """Score a policy's deterministic actions in the real environment.

    A planner plans in a model of --dataset, whose observations are those of the real environment.
    """
    from offline_envs.evaluation import evaluate_in

    if dataset is not None or env_id is None:
        task = task_of(task, policy)
    if dataset is None and (env_id is None) == (task is None):
        raise SettingsError(
            "Give the real environment by --env-id, e.g. Hopper-v5, by --task, e.g. ant-angle, or by a "
            "--dataset that names it."
        )
    loading: dict[str, Any] = {"trust_dataset": trust_dataset, "history": history_of(history, policy)}
    loading["columns"] = parse_columns(columns)
    kwargs = parse_json(learned_kwargs, "--learned-kwargs")
    check_learned_options(policy, learned_env, learned_kwargs)
    env, transitions = _environment(parse_env(env_id, env_kwargs), dataset, task, **loading)
    found = find_policy(
        policy,
        agent,
        obs_shape=env.observation_space.shape,
        action_space=cast("Box", env.action_space),
        owner="environment",
        seed=seed,
        learned_mdp=None if transitions is None else partial(learned_mdp, transitions, learned_env, kwargs),
    )
    table = _table(evaluate_in(env, found, n_episodes=episodes, seed=seed))
    env.close()
    if transitions is not None:
        returns = transitions.episode_returns
        table.add_row("dataset: mean, best", f"{returns.mean():.1f}, {returns.max():.1f}")
    Console().print(table)


def _environment(
    env_id: "str | EnvSpec | None",
    dataset: str | None,
    task: str | None,
    **loading: Any,
) -> "tuple[gym.Env[Any, Any], Transitions | None]":
    import gymnasium as gym

    from offline_envs.data import known_environment
    from offline_envs.tasks import find_task, real_env_spec, task_transitions

    if dataset is None and task is not None:
        return _as_seen(gym.make(real_env_spec(find_task(task))), loading["history"]), None
    if dataset is None:
        assert env_id is not None
        return _as_seen(gym.make(known_environment(env_id).spec), loading["history"]), None
    transitions = task_transitions(dataset, task, env_id=env_id, **loading).flattened
    return transitions.make_env(), transitions


def _as_seen(env: "gym.Env[Any, Any]", history: int) -> "gym.Env[Any, Any]":
    from offline_envs.data import HistoryObservation, with_flat_obs

    env = with_flat_obs(env)
    return env if history == 1 else HistoryObservation(env, history)


def _table(result: "EvaluationResult") -> Table:
    title = escape(f"{len(result.returns)} episodes of {result.env_id}")
    table = Table(title=title, show_header=False)
    table.add_row("return", f"{result.mean:.1f} ± {result.std:.1f}")
    table.add_row("from, to", f"{result.returns.min():.1f}, {result.returns.max():.1f}")
    table.add_row("length", f"{result.mean_length:.0f}")
    if result.normalized_score is not None:
        table.add_row("normalised score", f"{result.normalized_score:.1f} ± {result.normalized_std:.1f}")
        table.caption = f"0 = random, 100 = expert: {result.source}"
    return table

"""Arguments and options that several commands share, and the functions that read them."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from offline_envs.agents import saved_agents
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec
    from gymnasium.spaces import Box, Space

    from offline_envs.data import Transitions
    from offline_envs.mdp import LearnedMDP
    from offline_envs.policies import ActsIn, Predictor
    from offline_envs.settings import JsonSettings

Settings = TypeVar("Settings", bound="JsonSettings")

Dataset = Annotated[
    str,
    typer.Argument(
        help="Minari id or folder, D4RL-layout .hdf5, .npz archive, or a table: .csv, .parquet (also a "
        "folder), or a LeRobot folder (lerobot:PATH)."
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        help="What the columns of a table are: a TOML file, or JSON such as "
        '\'{"obs": ["level", "flow"], "action": "valve", "reward": "gain", "episode": "batch"}\'.',
    ),
]
EnvId = Annotated[
    str | None,
    typer.Option(help="Environment of the dataset, if its metadata do not name it, e.g. Hopper-v5."),
]
EnvKwargs = Annotated[
    str,
    typer.Option(help="Keywords of --env-id as JSON, e.g. '{\"use_contact_forces\": true}' for Ant-v4."),
]
TrustDataset = Annotated[
    bool,
    typer.Option(
        "--trust-dataset",
        help="Make the environment that the dataset's metadata describe as they say. It can run any code: "
        "trust the author.",
    ),
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Relabel the dataset for a task, with settings after a colon, e.g. ant-angle:degrees=45.",
    ),
]
History = Annotated[
    int | None,
    typer.Option(
        help="Let every observation hold the last k ones and the actions between them, for data whose "
        "observations do not show the whole state.",
        min=1,
        show_default="1",
    ),
]
Device = Annotated[str, typer.Option(help="Device of models and agents: cpu, cuda, cuda:1, ...")]
EnsembleJson = Annotated[
    str, typer.Option("--ensemble", help="Settings of the ensemble as JSON, e.g. '{\"n_members\": 5}'.")
]
FitJson = Annotated[
    str, typer.Option("--fit", help="Settings of the fit as JSON, e.g. '{\"max_epochs\": 30}'.")
]

POLICY_HELP = (
    "A .zip of Stable-Baselines3 or a TorchScript .pt that you trust (they can run code), uniform for "
    "uniform actions, or a planner with its settings, e.g. cem:horizon=25,candidates=200 (see "
    "docs/planning.md)."
)

Agent = Annotated[str, typer.Option(help=f"Agent that saved the policy: {', '.join(saved_agents())}.")]

LEARNED_ENV = "LearnedModel-v0"
"""Default of --learned-env."""

LearnedEnv = Annotated[
    str, typer.Option(help="Learned environment in which a planner plans, e.g. PenalizedModel-v0.")
]
LearnedKwargs = Annotated[
    str,
    typer.Option(
        help="Its settings as JSON, those of gym.make, e.g. "
        '\'{"model": "fitted", "penalty_coef": 2.5}\'; without a model, one is fitted or found in the cache.'
    ),
]

INTERRUPTED = 130
"""Exit status of a process that Ctrl-C ended, as in a shell."""


def parse_json(text: str, option: str) -> dict[str, Any]:
    """Read the JSON object given to `option`.

    Raises:
        SettingsError: It is not JSON, or not an object.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{option} must be JSON, got {text!r}: {error}.") from error
    if not isinstance(values, dict):
        raise SettingsError(f'{option} must be a JSON object such as {{"name": 1}}, got {text!r}.')
    return values


def parse_columns(text: str | None) -> dict[str, Any] | None:
    """Read --columns, JSON or a TOML file.

    Raises:
        SettingsError: It is neither.
    """
    from offline_envs.data import read_columns

    if text is None:
        return None
    return parse_json(text, "--columns") if text.lstrip().startswith("{") else read_columns(text)


def parse_env(env_id: str | None, env_kwargs: str) -> "str | EnvSpec | None":
    """Read --env-id and --env-kwargs.

    Raises:
        SettingsError: The keywords are no JSON object, or there is no id for them.
        DatasetError: There is no such environment.
    """
    from offline_envs.data import named_environment

    return named_environment(env_id, parse_json(env_kwargs, "--env-kwargs"))


def parse_settings(kind: type[Settings], values: dict[str, Any], option: str) -> Settings:
    """Build settings from the JSON given to `option`.

    Raises:
        SettingsError: An unknown name, or a value of the wrong type or out of range.
    """
    try:
        return kind.from_json(values)
    except TypeError as error:
        raise SettingsError(f"{option} has a value of the wrong type: {error}") from error


def given_once(given: dict[str, Any], values: dict[str, Any], option: str) -> dict[str, Any]:
    """Add to the JSON of `option` what options of their own give.

    Args:
        given: Values by name; None where an option was left out.
        values: What `option` holds.
        option: The option, for the message.

    Raises:
        SettingsError: A name is given twice, with different values.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if values.get(name, value) != value:
            raise SettingsError(
                f"--{name.replace('_', '-')} {value} contradicts the {name} in {option}, {values[name]!r}. "
                "Give one of them."
            )
    return {**given, **values}


def parse_seeds(text: str) -> list[int]:
    """Read seeds separated by commas, where a..b stands for all from a to b.

    Raises:
        SettingsError: Anything but non-negative integers, an empty range, or a duplicate.
    """
    try:
        ranges = [[int(bound) for bound in part.split("..", 1)] for part in text.split(",")]
    except ValueError:
        raise SettingsError(
            f"--seeds must be integers or ranges separated by commas, e.g. 0,1,2 or 0..7; got {text!r}."
        ) from None
    seeds = [seed for bounds in ranges for seed in range(bounds[0], bounds[-1] + 1)]
    if any(bounds[0] > bounds[-1] for bounds in ranges):
        raise SettingsError(f"A range of --seeds must have its smaller end first, got {text!r}.")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise SettingsError(f"--seeds must be distinct and not negative, got {text!r}.")
    return seeds


def find_policy(
    policy: str,
    agent: str,
    *,
    obs_shape: tuple[int, ...] | None,
    action_space: "Box",
    owner: str,
    seed: int,
    learned_mdp: "Callable[[], LearnedMDP] | None" = None,
) -> "Predictor":
    """Make or load the policy that an argument names.

    Args:
        policy: The argument.
        agent: Agent that saved it, if it is a file.
        obs_shape: Shape of the observations that it will see, of one array; a policy of Dict observations is
            given its parts.
        action_space: Action space that it must have.
        owner: What has these spaces, for the message.
        seed: Seed of a policy that is not loaded.
        learned_mdp: Makes the learned MDP for a policy that plans; None where there is no dataset.

    Raises:
        SettingsError: An unknown name, a missing file, or a policy for other spaces.
        CheckpointError: The file is damaged, or another agent's.
    """
    from offline_envs.policies import (
        POLICIES,
        TORCHSCRIPT_SUFFIX,
        ActsIn,
        TorchScriptPolicy,
        is_policy_spec,
        on_columns,
        read_agent,
    )

    if is_policy_spec(policy):
        spaces: dict[str, Any] = {"obs_shape": obs_shape, "action_space": action_space, "owner": owner}
        load = functools.cache(functools.partial(find_policy, agent=agent, **spaces, seed=seed))
        return _from_text(policy, ActsIn(action_space, seed, load=load), learned_mdp)
    if not Path(policy).is_file():
        raise SettingsError(
            f"There is no file {policy}, and no policy of that name. Give a .zip of Stable-Baselines3, "
            f"a TorchScript .pt, or one of: {', '.join(POLICIES)}."
        )
    if Path(policy).suffix == TORCHSCRIPT_SUFFIX:
        assert obs_shape is not None
        ActsIn(action_space).box()
        return TorchScriptPolicy(policy, obs_shape[0], action_space, seed=seed)
    loaded: Any = on_columns(read_agent(policy, agent))
    _check_shape("observation", loaded.observation_space, obs_shape, owner)
    _check_shape("action", loaded.action_space, action_space.shape, owner)
    return cast("Predictor", loaded)


def _from_text(text: str, where: "ActsIn", learned_mdp: "Callable[[], LearnedMDP] | None") -> "Predictor":
    """Make a policy by its text; what can be refused without a model is refused before one is fitted."""
    from offline_envs.policies import builds_on, check_policy_spec, needs_model, policy_from_spec

    check_policy_spec(text)
    if needs_model(text):
        where.box()
        if (other := builds_on(text)) is not None and where.load is not None:
            where.load(other)
        if learned_mdp is not None:
            where = dataclasses.replace(where, mdp=learned_mdp())
    return policy_from_spec(text, where)


def check_learned_options(policy: str | None, learned_env: str, learned_kwargs: str, **others: Any) -> None:
    """Refuse options of the model in which a planner plans where there is no planner.

    Args:
        policy: The policy; None for no policy.
        learned_env: --learned-env.
        learned_kwargs: --learned-kwargs.
        others: Further such options by name; None where one was left out.

    Raises:
        SettingsError: One of them is given.
    """
    from offline_envs.policies import needs_model

    changed = {"learned_env": learned_env != LEARNED_ENV, "learned_kwargs": learned_kwargs.strip() != "{}"}
    given = [name for name, is_given in changed.items() if is_given]
    given += [name for name, value in others.items() if value is not None]
    if given and (policy is None or not needs_model(policy)):
        raise SettingsError(
            f"--{given[0].replace('_', '-')} is for planners, e.g. cem:horizon=15; received "
            f"{'no policy' if policy is None else f'the policy {policy}'}. Leave it out."
        )


def learned_mdp(
    transitions: "Transitions", learned_env: str, learned_kwargs: Mapping[str, Any]
) -> "LearnedMDP":
    """Make the MDP of --learned-env and --learned-kwargs.

    Raises:
        SettingsError: An unknown environment or setting.
    """
    import gymnasium as gym

    from offline_envs.registration import check_learned_id

    check_learned_id(learned_env)
    env: Any = gym.make(learned_env, dataset=transitions, **learned_kwargs)
    mdp: LearnedMDP = env.unwrapped.mdp
    return mdp


def _check_shape(name: str, policy: "Space[object]", expected: tuple[int, ...] | None, owner: str) -> None:
    """Refuse a policy for other observations or actions.

    Args:
        name: Kind of space, `"observation"` or `"action"`.
        policy: The policy's space.
        expected: The shape that it must have.
        owner: What has this shape, for the message.

    Raises:
        SettingsError: The shapes differ.
    """
    if policy.shape != expected:
        raise SettingsError(
            f"The policy has {name} space of shape {policy.shape}, but the {owner} {expected}."
        )

"""The environment of the data: checked against a task's physics and observations, and carried over to it."""

from copy import deepcopy
from dataclasses import replace
from weakref import WeakKeyDictionary

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from offline_envs.data import Transitions, known_environment, load_transitions
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.tasks.base_env import base_env
from offline_envs.tasks.finding import known_tasks
from offline_envs.tasks.task import Task

_cut: WeakKeyDictionary[Transitions, dict[int, Transitions]] = WeakKeyDictionary()
"""Data → copies with fewer columns, by number of columns."""


def with_obs_of(
    task: Task, transitions: Transitions, spec: EnvSpec | None
) -> tuple[Transitions, tuple[str, ...]]:
    """Check that data can be relabelled for a task, and drop observation columns that the task does not use.

    Args:
        task: The task.
        transitions: The data.
        spec: Environment of the data. Without one, they are taken to come from the task's base environment if
            the dimensions match, and have its bounds of actions where nothing but the data tells these.

    Returns:
        The data with `task.obs_dim` columns, the same object where nothing was changed, and notes for the
        report.

    Raises:
        DatasetError: The data have other physics or dimensions, or come from a wrapped environment.
    """
    if spec is not None:
        _check_environment(task, transitions.source, spec)
    n_appended = transitions.obs_dim - task.obs_dim
    if n_appended and (spec is None or n_appended not in base_env(task.base_env_id).appended):
        raise _wrong_obs(task, transitions, spec)
    if spec is None:
        _check_actions(task, transitions)
        if transitions.observed_bounds:  # the environment's own are known now
            space = known_environment(task.base_env_id).action_space
            transitions = load_transitions(transitions, action_space=space)
        return transitions, (
            f"The data do not name their environment. They are taken for {task.base_env_id}, whose "
            "dimensions they have.",
        )
    if n_appended == 0:
        return transitions, ()
    note = f"Of {transitions.obs_dim} observation columns the first {task.obs_dim} are kept, without forces."
    return _first_columns(transitions, task.obs_dim), (note,)


def real_env_spec(task: Task, source: EnvSpec | None = None) -> EnvSpec:
    """Specify the real environment of a task, e.g. for `gymnasium.make`.

    Args:
        task: The task; its settings become keywords.
        source: Environment of the data, whose physics and time limit are kept, but not its reward; see
            `physics_keywords`.

    Raises:
        SettingsError: The task's environment is not registered, or see `base_class`.
    """
    from offline_envs.tasks.base_class import base_class, physics_keywords  # which imports MuJoCo

    try:
        spec = deepcopy(gym.spec(task.env_id))
    except gym.error.Error as error:
        raise SettingsError(f"The environment of {task} is not registered: {error}") from error
    known = physics_keywords(base_class(task.base_env_id))
    given = {} if source is None else source.kwargs
    physics = {name: deepcopy(value) for name, value in given.items() if name in known}
    spec.kwargs = {**spec.kwargs, **physics, **task.settings}
    if source is not None and source.max_episode_steps is not None:
        spec.max_episode_steps = source.max_episode_steps
    return spec


def env_ids_of(task: Task) -> tuple[str, ...]:
    """Return the ids of the environments whose data can be relabelled for a task, sorted."""
    ours = {other.env_id for other in known_tasks() if other.base_env_id == task.base_env_id}
    return tuple(sorted({*base_env(task.base_env_id).env_ids, task.env_id, *ours}))


def check_body(task: Task, source: str, env_id: str) -> None:
    """Check that an environment has the physics of a task.

    Raises:
        DatasetError: It does not; the message says which data are valid.
    """
    valid = env_ids_of(task)
    if env_id not in valid:
        others = [other.name for other in known_tasks() if env_id in env_ids_of(other)]
        known = f" Tasks for data of {env_id}: {', '.join(others)}." if others else ""
        raise DatasetError(
            f"{task} needs data of {', '.join(valid)}; {source} comes from {env_id}, where the same action "
            f"has other consequences, and no relabelling makes up for it. {task.how_to_collect}{known}"
        )


def _check_environment(task: Task, source: str, spec: EnvSpec) -> None:
    check_body(task, source, spec.id)
    if spec.additional_wrappers:
        names = ", ".join(wrapper.name for wrapper in spec.additional_wrappers)
        raise DatasetError(
            f"{task} reads the observations and actions of the bare environment; {source} was "
            f"collected through {names}. If they change neither, pass env_id={spec.id!r}."
        )


def _check_actions(task: Task, transitions: Transitions) -> None:
    action_dim = known_environment(task.env_id).action_dim
    if transitions.action_dim != action_dim:
        raise DatasetError(
            f"{task} needs actions of {action_dim} dimensions; {transitions.source} has "
            f"{transitions.action_dim}."
        )


def _wrong_obs(task: Task, transitions: Transitions, spec: EnvSpec | None) -> DatasetError:
    appended = [str(task.obs_dim + n) for n in base_env(task.base_env_id).appended]
    named = f", or {' or '.join(appended)} where the data name their environment" if appended else ""
    whose = "an unknown environment" if spec is None else spec.id
    name_it = ""
    if spec is None and str(transitions.obs_dim) in appended:
        name_it = f" If they are of {task.base_env_id}, pass env_id={task.base_env_id!r}."
    return DatasetError(
        f"{task} needs observations of {task.obs_dim} dimensions{named}; {transitions.source} has "
        f"{transitions.obs_dim} of {whose}.{name_it} {task.how_to_collect}"
    )


def _first_columns(transitions: Transitions, n: int) -> Transitions:
    """Return the data with `n` observation columns; repeated calls share one copy."""
    of_width = _cut.setdefault(transitions, {})
    if n not in of_width:
        obs, next_obs = (t[:, :n].contiguous() for t in (transitions.obs, transitions.next_obs))
        of_width[n] = replace(transitions, obs=obs, next_obs=next_obs, obs_space=None)
    return of_width[n]

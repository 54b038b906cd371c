"""Whether data have the physics and the observations of a task, and the real environment that pays it."""

from copy import deepcopy
from dataclasses import replace
from weakref import WeakKeyDictionary

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from offline_envs.data import Transitions
from offline_envs.data.environment import known_environment
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.tasks.finding import known_tasks
from offline_envs.tasks.task import Task

SAME_PHYSICS = {"HalfCheetah-v5": ("HalfCheetah-v4",), "Ant-v5": ("Ant-v4",)}
"""Environment → older versions that differ from it in rewards, infos and keywords alone, in Gymnasium's own
lists of changes."""

PHYSICS = (
    "xml_file",
    "frame_skip",
    "main_body",
    "reset_noise_scale",
    "healthy_z_range",
    "terminate_when_unhealthy",
)
"""Keywords of these environments that change what happens, not what is paid."""

APPENDED = {"Ant-v5": (78, 84)}
"""Environment → numbers of columns that versions of it append to the observation: the contact forces of 13
bodies (Ant-v5) or 14 (Ant-v4 with `use_contact_forces`, D4RL), six each."""

_cut: WeakKeyDictionary[Transitions, Transitions] = WeakKeyDictionary()


def with_obs_of(task: Task, transitions: Transitions) -> tuple[Transitions, tuple[str, ...]]:
    """Check that a task can be put on data, and leave away the columns of the observations that it lacks.

    Args:
        task: The task.
        transitions: The data. Without an environment they are taken for the task's base environment's where
            the dimensions are.

    Returns:
        The data with `task.obs_dim` columns, the same object where nothing was cut, and what should be known
        about it.

    Raises:
        DatasetError: Data of other physics, wrapped, or of other dimensions.
    """
    if transitions.env_spec is None:
        _check_dimensions(task, transitions)
        return transitions, (
            f"The data do not name their environment. They are taken for {task.base_env_id}, whose "
            "dimensions they have.",
        )
    _check_environment(task, transitions, transitions.env_spec)
    n_appended = transitions.obs_dim - task.obs_dim
    if n_appended == 0:
        return transitions, ()
    if n_appended not in APPENDED.get(task.base_env_id, ()):
        raise _wrong_obs(task, transitions)
    note = f"Of {transitions.obs_dim} observation columns the first {task.obs_dim} are kept, without forces."
    return _first_columns(transitions, task.obs_dim), (note,)


def real_env_spec(task: Task, source: EnvSpec | None = None) -> EnvSpec:
    """Specify the real environment of a task, e.g. for `gymnasium.make`.

    Args:
        task: The task; its settings become keywords.
        source: Environment of the data, whose `PHYSICS` and time limit are taken over; its reward is not.

    Raises:
        SettingsError: The task's environment is not registered.
    """
    try:
        spec = deepcopy(gym.spec(task.env_id))
    except gym.error.Error as error:
        raise SettingsError(f"The environment of {task} is not registered: {error}") from error
    given = {} if source is None else source.kwargs
    physics = {name: deepcopy(given[name]) for name in PHYSICS if name in given}
    spec.kwargs = {**spec.kwargs, **physics, **task.settings}
    if source is not None and source.max_episode_steps is not None:
        spec.max_episode_steps = source.max_episode_steps
    return spec


def env_ids_of(task: Task) -> tuple[str, ...]:
    """Ids of the environments whose data a task can be put on, sorted."""
    paid = {other.env_id for other in known_tasks() if other.base_env_id == task.base_env_id}
    return tuple(sorted({task.base_env_id, *SAME_PHYSICS.get(task.base_env_id, ()), task.env_id, *paid}))


def _check_environment(task: Task, transitions: Transitions, spec: EnvSpec) -> None:
    valid = env_ids_of(task)
    if spec.id not in valid:
        raise DatasetError(
            f"{task} needs data of {', '.join(valid)}; {transitions.source} comes from {spec.id}, "
            "where the same action has other consequences."
        )
    if spec.additional_wrappers:
        names = ", ".join(wrapper.name for wrapper in spec.additional_wrappers)
        raise DatasetError(
            f"{task} reads the observations and actions of the bare environment; {transitions.source} was "
            f"collected through {names}. If they change neither, pass env_id={spec.id!r}."
        )


def _check_dimensions(task: Task, transitions: Transitions) -> None:
    if transitions.obs_dim != task.obs_dim:
        raise _wrong_obs(task, transitions)
    action_dim = known_environment(task.env_id).action_space.shape[0]
    if transitions.action_dim != action_dim:
        raise DatasetError(
            f"{task} needs actions of {action_dim} dimensions; {transitions.source} has "
            f"{transitions.action_dim}."
        )


def _wrong_obs(task: Task, transitions: Transitions) -> DatasetError:
    keywords = "".join(f", {name}={value}" for name, value in task.base_kwargs.items())
    appended = [str(task.obs_dim + n) for n in APPENDED.get(task.base_env_id, ())]
    known = f", or {' or '.join(appended)} where the data name their environment" if appended else ""
    return DatasetError(
        f"{task} needs observations of {task.obs_dim} dimensions{known}; {transitions.source} has "
        f"{transitions.obs_dim} of {transitions.env_id or 'an unknown environment'}. Next time collect with "
        f"gymnasium.make({task.base_env_id!r}{keywords}) and log {', '.join(task.needs)} of its infos."
    )


def _first_columns(transitions: Transitions, n: int) -> Transitions:
    """The data with `n` observation columns; asked again, the same ones, so that all readers share them."""
    if transitions not in _cut:
        obs, next_obs = (t[:, :n].contiguous() for t in (transitions.obs, transitions.next_obs))
        _cut[transitions] = replace(transitions, obs=obs, next_obs=next_obs)
    return _cut[transitions]

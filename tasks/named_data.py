"""Load data for a task whose environment the user names."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from offline_envs.data import DatasetSource, Transitions, load_transitions
from offline_envs.data.environment import known_environment
from offline_envs.tasks.physics import check_body
from offline_envs.tasks.task import Task


def load_for(task: Task, dataset: DatasetSource, env_id: str | None) -> tuple[Transitions, EnvSpec | None]:
    """Load a dataset and say which environment it is taken to come from.

    A name says which body the data are of, not how it was observed: unlike that of `load_transitions` it goes
    with every number of columns that the task can be put on.

    Args:
        task: The task that the data are for.
        dataset: Anything that `load_transitions` accepts.
        env_id: Environment of the data, instead of the one that their metadata name. Where both agree, the
            keywords of the metadata are kept and the wrappers dropped.

    Returns:
        The data, and their environment or None.

    Raises:
        DatasetError: The dataset cannot be used, or the environment has not the physics of the task.
    """
    if env_id is None:
        data = load_transitions(dataset)
        return data, data.env_spec
    check_body(task, "what env_id= names", env_id)
    space = known_environment(task.base_env_id).action_space
    given = dataset if isinstance(dataset, Sequence) and not isinstance(dataset, str) else [dataset]
    parts = [load_transitions(part, action_space=space) for part in given]
    spec = _bare(parts[0].env_spec)
    if spec is None or spec.id != env_id or any(_bare(part.env_spec) != spec for part in parts):
        spec = deepcopy(gym.spec(env_id))
    if len(parts) == 1:
        return parts[0], spec
    return load_transitions([replace(part, env_spec=None) for part in parts]), spec


def _bare(spec: EnvSpec | None) -> EnvSpec | None:
    """The environment without its wrappers."""
    return None if spec is None else replace(deepcopy(spec), additional_wrappers=())

"""`relabel`: a dataset with the reward of a task instead of the logged one."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Self

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from torch import Tensor

from offline_envs.data import (
    ColumnsChoice,
    DatasetSource,
    Transitions,
    check_finite,
    known_environment,
    load_transitions,
    with_columns,
    with_history,
)
from offline_envs.tasks.base_env import without_reward_terms
from offline_envs.tasks.finding import find_task
from offline_envs.tasks.relabelling.needed_infos import REWARD, InfoSource, find_info
from offline_envs.tasks.relabelling.plausibility import Values
from offline_envs.tasks.relabelling.report import RelabelReport
from offline_envs.tasks.relabelling.source_environment import check_body, real_env_spec, with_obs_of
from offline_envs.tasks.task import Task


def load_for(
    task: Task, dataset: DatasetSource, env_id: str | EnvSpec | None
) -> tuple[Transitions, EnvSpec | None]:
    """Load a dataset, and return the environment that it is taken to come from.

    An id names the body of the data, not how it was observed: unlike in `load_transitions`, it is valid with
    every number of columns that the task accepts.

    Args:
        task: The task that the data are for.
        dataset: Anything that `load_transitions` accepts.
        env_id: Environment of the data, instead of the one that their metadata name. Where both agree in the
            id and it comes without keywords, those of the metadata are kept and the wrappers dropped.

    Returns:
        The data, and their environment or None.

    Raises:
        DatasetError: The dataset cannot be used, or the environment does not have the physics of the task.
    """
    if env_id is None:
        data = load_transitions(dataset)
        return data, data.env_spec
    name = env_id.id if isinstance(env_id, EnvSpec) else env_id
    check_body(task, "the dataset, by env_id=,", name)
    space = known_environment(task.base_env_id).action_space
    given = dataset if isinstance(dataset, Sequence) and not isinstance(dataset, str) else [dataset]
    parts = [load_transitions(part, action_space=space) for part in given]
    spec = deepcopy(env_id) if isinstance(env_id, EnvSpec) else _agreed(env_id, parts)
    if len(parts) == 1:
        return parts[0], spec
    return load_transitions([replace(part, env_spec=None) for part in parts]), spec


def _agreed(env_id: str, parts: Sequence[Transitions]) -> EnvSpec:
    """The environment that all metadata describe, without wrappers, if it has this id; else the id's own."""
    spec = _bare(parts[0].env_spec)
    if spec is None or spec.id != env_id or any(_bare(part.env_spec) != spec for part in parts):
        return deepcopy(gym.spec(env_id))
    return spec


def _bare(spec: EnvSpec | None) -> EnvSpec | None:
    """Return the environment without its wrappers."""
    return None if spec is None else replace(deepcopy(spec), additional_wrappers=())


CHUNK = 100_000
"""Rows whose reward is computed per call, which bounds the memory."""


@dataclass(frozen=True)
class Relabelling:
    """A relabelled dataset and what was done to it.

    Attributes:
        transitions: The dataset with the task's reward.
        report: What was done.
    """

    transitions: Transitions
    report: RelabelReport

    @classmethod
    def of(cls, dataset: DatasetSource, task: str | Task, *, env_id: str | EnvSpec | None = None) -> Self:
        """Compute the reward of a task for every step of a dataset, in float64, and store it in float32.

        The result shares every other array with the dataset, unless columns of the observation are cut. Its
        environment is the task's real one, with the physics of the data's own. Its infos are those of the
        data, with the parts of the new reward instead of the old one's, and with velocities that the old
        reward implies exactly. Terminations stay as they are.

        Args:
            dataset: Anything that `load_transitions` accepts.
            task: A task, or its name with settings, e.g. `"ant-angle:degrees=45"`.
            env_id: Environment that the data come from, if their metadata do not say; see `load_for`.

        Warns:
            UserWarning: An info had to be estimated from observations, or its logged values were skipped
                because they do not fit them.

        Raises:
            DatasetError: The dataset cannot be used, has other physics or dimensions than the task's, lacks
                an info that it needs, or gets a reward that is not finite.
            SettingsError: There is no such task or setting, or its environment is not registered.
        """
        task = find_task(task)
        before, source_spec = load_for(task, dataset, env_id)
        spec = real_env_spec(task, source_spec)
        fitting, notes = with_obs_of(task, before, source_spec)
        fitting = replace(fitting, env_spec=source_spec)
        found = {name: find_info(fitting, task, name) for name in task.needs}
        infos = tuple(source for _, source in found.values())
        _warn_of(infos, f"{before.source}, {task}")
        terms = _terms(task, fitting, {name: values for name, (values, _) in found.items()})
        implied = {name: values for name, (values, source) in found.items() if source.origin == REWARD}
        after = replace(
            fitting,
            rewards=_float32(np.asarray(sum(terms.values()))),
            env_spec=spec,
            recorded_env_spec=None,
            infos=without_reward_terms(fitting.infos)
            | {name: _float32(values) for name, values in {**implied, **terms}.items()},
            source=f"{before.source} relabelled for {task}",
        )
        check_finite(after.source, "rewards", after.rewards.numpy(), after.episode_starts.numpy())
        report = RelabelReport.of(before, after, task, env_spec=source_spec, infos=infos, notes=notes)
        return cls(replace(after, metadata=report.provenance()), report)


def relabel(dataset: DatasetSource, task: str | Task, *, env_id: str | EnvSpec | None = None) -> Transitions:
    """Load a dataset with the reward of a task; see `Relabelling.of`, which also reports what was done."""
    return Relabelling.of(dataset, task, env_id=env_id).transitions


def task_transitions(
    dataset: DatasetSource,
    task: str | Task | None = None,
    *,
    columns: ColumnsChoice | None = None,
    env_id: str | EnvSpec | None = None,
    trust_dataset: bool = False,
    history: int = 1,
) -> Transitions:
    """Load a dataset as it is, or with the reward of a task: `load_transitions` or `relabel`.

    The environment of a task is never the metadata's, so that `trust_dataset` changes nothing for it. Its
    reward is computed before observations get a `history`, see `with_history`. `columns` say what the columns
    of a table are, see `load_transitions`.
    """
    dataset = with_columns(dataset, columns)
    if task is None:
        return load_transitions(dataset, env_id=env_id, trust_dataset=trust_dataset, history=history)
    return with_history(relabel(dataset, task, env_id=env_id), history)


def _warn_of(infos: Iterable[InfoSource], whose: str) -> None:
    for info in infos:
        if info.doubted:
            warnings.warn(f"{whose}: the logged {info.name} is doubtful and not used. {info}.", stacklevel=4)
        elif not info.exact:
            warnings.warn(f"{whose}: {info}. Log it next time.", stacklevel=4)


def _terms(task: Task, transitions: Transitions, info: Mapping[str, Values]) -> dict[str, Values]:
    """Parts of the reward of every step, float64 `(n,)` each."""
    chunks: list[dict[str, Values]] = []
    for start in range(0, len(transitions), CHUNK):
        rows = slice(start, start + CHUNK)
        step = (transitions.obs, transitions.actions, transitions.next_obs)
        obs, action, next_obs = (tensor[rows].numpy().astype(np.float64) for tensor in step)
        needed = {name: values[rows] for name, values in info.items()}
        chunks.append(task.reward_terms(obs, action, next_obs, needed))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _float32(values: Values) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))

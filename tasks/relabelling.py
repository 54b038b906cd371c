"""`relabel`: a dataset with the reward of a task instead of the logged one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from offline_envs.data import DatasetSource, Transitions, load_transitions
from offline_envs.data.validation import check_finite
from offline_envs.tasks.finding import find_task
from offline_envs.tasks.physics import real_env_spec, with_obs_of
from offline_envs.tasks.relabel_report import RelabelReport
from offline_envs.tasks.task import Task
from offline_envs.tasks.velocities import REWARD, Values, find_velocity

CHUNK = 100_000
"""Rows whose reward is computed at once, which bounds the memory."""

TERM = "reward_"
"""How the names of infos begin that hold a part of a reward."""


@dataclass(frozen=True)
class Relabelling:
    """A relabelled dataset and what was done to it.

    Attributes:
        transitions: The dataset with the task's reward.
        report: What was done.
    """

    transitions: Transitions
    report: RelabelReport


def task_transitions(
    dataset: DatasetSource, task: str | Task | None = None, *, env_id: str | None = None
) -> Transitions:
    """Load a dataset as it is, or with the reward of a task: `load_transitions` or `relabel`."""
    return load_transitions(dataset, env_id=env_id) if task is None else relabel(dataset, task, env_id=env_id)


def relabel(dataset: DatasetSource, task: str | Task, *, env_id: str | None = None) -> Transitions:
    """Load a dataset with the reward of a task; see `relabelled`.

    Args:
        dataset: Anything that `load_transitions` accepts.
        task: A task, or its name with settings, e.g. `"ant-angle:degrees=45"`.
        env_id: Environment that the data come from, if their metadata do not say.

    Raises:
        DatasetError: The dataset cannot be used, or not for this task.
        SettingsError: There is no such task or setting.
    """
    found = find_task(task)
    return relabelled(load_transitions(dataset, env_id=env_id), found).transitions


def relabelled(transitions: Transitions, task: str | Task) -> Relabelling:
    """Compute the reward of a task for every step of a dataset, in float64, and store it in float32.

    The result shares every other array with `transitions`, unless columns of the observation are cut. Its
    environment is the task's real one, with the physics of the data's own. Its infos are those of the data,
    with the parts of the new reward instead of the old one's, and with velocities that the old reward told
    exactly. Terminations stay as they are.

    Args:
        transitions: The dataset.
        task: A task, or its name with settings.

    Warns:
        UserWarning: A velocity had to be estimated from observations.

    Raises:
        DatasetError: Data of other physics or dimensions than the task's, or a reward that is not finite.
        SettingsError: There is no such task or setting, or its environment is not registered.
    """
    task = find_task(task)
    spec = real_env_spec(task, transitions.env_spec)
    fitting, notes = with_obs_of(task, transitions)
    found = {name: find_velocity(fitting, task, name) for name in task.needs}
    velocities = tuple(source for _, source in found.values())
    for velocity in velocities:
        if not velocity.exact:
            warnings.warn(f"{transitions.source}, {task}: {velocity}. Log it next time.", stacklevel=2)
    terms = _terms(task, fitting, {name: values for name, (values, _) in found.items()})
    told = {name: values for name, (values, source) in found.items() if source.origin == REWARD}
    kept = {name: values for name, values in fitting.infos.items() if not name.startswith(TERM)}
    result = replace(
        fitting,
        rewards=_float32(np.asarray(sum(terms.values()))),
        env_spec=spec,
        infos={**kept, **{name: _float32(values) for name, values in {**told, **terms}.items()}},
        source=f"{transitions.source} relabelled for {task}",
    )
    check_finite(result.source, "rewards", result.rewards.numpy(), result.episode_starts.numpy())
    return Relabelling(
        result, RelabelReport.of(transitions, result, task, velocities=velocities, notes=notes)
    )


def _terms(task: Task, transitions: Transitions, info: Mapping[str, Values]) -> dict[str, Values]:
    """Parts of the reward of every step, float64 `(n,)` each."""
    chunks: list[dict[str, Values]] = []
    for start in range(0, len(transitions), CHUNK):
        rows = slice(start, start + CHUNK)
        step = (transitions.obs, transitions.actions, transitions.next_obs)
        obs, action, next_obs = (tensor[rows].numpy().astype(np.float64) for tensor in step)
        told = {name: values[rows] for name, values in info.items()}
        chunks.append(task.reward_terms(obs, action, next_obs, told))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _float32(values: Values) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))

"""Write a relabelled dataset in Minari's format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer

from offline_envs.collect.work_folder import claimed, remove, remove_if_written, unfinished_folder
from offline_envs.collect.writer import ROOT_SETTING, Provenance, check_new, write_dataset
from offline_envs.data import Transitions
from offline_envs.errors import DatasetError
from offline_envs.files import moved_by
from offline_envs.tasks import Relabelling, RelabelReport


def write_relabelled(relabelling: Relabelling, dataset_id: str, *, root: Path) -> Path:
    """Write a relabelled dataset, completely or not at all.

    Read back, it has the same steps, rewards, infos, episodes and environment.

    Args:
        relabelling: The dataset and what was done to it, which the metadata repeat.
        dataset_id: Minari id with a version.
        root: Minari root to write under; made if missing.

    Returns:
        Folder of the dataset.

    Raises:
        DatasetError: The id is malformed or taken, or the steps of an episode are not consecutive.
    """
    transitions, report = relabelling.transitions, relabelling.report
    assert transitions.env_spec is not None
    provenance = Provenance(
        env_spec=transitions.env_spec,
        observation_space=Box(-np.inf, np.inf, (transitions.obs_dim,)),
        action_space=transitions.action_space,
        algorithm=transitions.metadata["algorithm_name"],
        description=_description(report),
        more=transitions.metadata,
    )
    _check_following(transitions)
    folder = unfinished_folder(dataset_id, root)
    remove_if_written(folder, root / dataset_id)
    check_new(dataset_id, root)
    with moved_by(ROOT_SETTING), claimed(folder, {"task": report.task, "source": report.dataset}):
        episodes = episode_buffers(transitions)
        written = write_dataset(dataset_id, episodes, root=root, scratch=folder, provenance=provenance)
        remove(folder)
    return written


def episode_buffers(transitions: Transitions) -> Iterator[EpisodeBuffer]:
    """Cut transitions into the episodes that Minari stores, one after the other.

    An episode of T steps has T + 1 observations, and infos of T + 1 rows of which the first belongs to the
    reset and is 0. One that did not terminate is truncated at its last step.

    Raises:
        DatasetError: A successor is not the observation of the next row, which Minari cannot store.
    """
    _check_following(transitions)
    starts = transitions.episode_starts.tolist()
    ends = (transitions.episode_starts + transitions.episode_lengths).tolist()
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        yield _buffer(transitions, index, slice(start, end))


def _buffer(transitions: Transitions, index: int, rows: slice) -> EpisodeBuffer:
    obs, next_obs = transitions.obs[rows].numpy(), transitions.next_obs[rows].numpy()
    terminations = transitions.terminated[rows].numpy()
    truncations = np.zeros_like(terminations)
    truncations[-1] = not terminations[-1]
    infos = {name: values[rows].numpy() for name, values in transitions.infos.items()}
    arrays: dict[str, Any] = {  # Minari's annotations say lists; its storage takes arrays.
        "observations": np.concatenate([obs, next_obs[-1:]]),
        "actions": transitions.actions[rows].numpy(),
        "rewards": transitions.rewards[rows].numpy(),
        "terminations": terminations,
        "truncations": truncations,
        "infos": {name: np.concatenate([np.zeros_like(v[:1]), v]) for name, v in infos.items()},
    }
    return EpisodeBuffer(id=index, **arrays)


def _check_following(transitions: Transitions) -> None:
    apart = (transitions.next_obs[:-1] != transitions.obs[1:]).any(dim=1)
    apart[transitions.episode_starts[1:] - 1] = False
    if apart.any():
        raise DatasetError(
            f"{transitions.source} cannot be written: Minari stores an episode as one row of observations, "
            f"but in {int(apart.sum())} rows next_obs is not the next obs, the first in row "
            f"{int(apart.int().argmax())}. Use it as it is, with task=."
        )


def _description(report: RelabelReport) -> str:
    return (
        f"{report.dataset} relabelled for {report.task}: {report.formula}. {report.rows} steps, "
        f"{report.episodes} episodes. Written by offline-envs relabel."
    )

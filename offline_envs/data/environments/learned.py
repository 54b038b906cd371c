"""`real_spec`: the real environment behind a learned one in which data were recorded."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from offline_envs.data.minari_ids import MINARI_ID, data_path_here
from offline_envs.data.minari_metadata import recorded_spec
from offline_envs.errors import SettingsError
from offline_envs.registration import TASKS, is_learned_id, split_task

NEW_OBS_OR_REWARD = ("history", "reward")
"""Settings by which a learned environment shows or pays something else than the real one does."""


def real_spec(recorded: EnvSpec) -> EnvSpec:
    """Look up the real environment that a learned one stands for; any other is returned as it is.

    A learned environment is made of a dataset, whose metadata name the real environment, unless a setting
    `env_id` or `task` does. What it recorded has the same observations and actions, so what ends episodes,
    and where a policy is scored, is the real environment's. A dataset may itself have been recorded in a
    learned environment. Wrappers that were recorded stay.

    Only names are followed, to ids that are registered here and to metadata of Minari datasets on this
    machine: nothing is imported, made or downloaded.

    Args:
        recorded: The specification of the data's metadata.

    Returns:
        The real one; `recorded` where it cannot be told, which then is a learned one.
    """
    found, wrappers, seen = recorded, recorded.additional_wrappers, set[str]()
    while is_learned_id(found.id):
        behind = _one_behind(found.kwargs, seen)
        if behind is None:
            return recorded
        found, wrappers = behind, (*behind.additional_wrappers, *wrappers)
    return replace(found, additional_wrappers=wrappers)


def _one_behind(settings: Mapping[str, Any], seen: set[str]) -> EnvSpec | None:
    """The environment whose data a learned one was fitted to, by its settings; `seen` are datasets so far."""
    if any(settings.get(name) not in (None, 1) for name in NEW_OBS_OR_REWARD):
        return None
    task, env_id, dataset = (settings.get(name) for name in ("task", "env_id", "dataset"))
    if task is not None:
        return _of_task(task) if isinstance(task, str) else None
    if env_id is not None:
        return gym.registry.get(env_id) if isinstance(env_id, str) else None
    if not isinstance(dataset, str) or dataset in seen or not MINARI_ID.fullmatch(dataset):
        return None
    seen.add(dataset)
    path = data_path_here(dataset)
    return None if path is None else _recorded_in(path)


def _of_task(text: str) -> EnvSpec | None:
    """The environment of a task that is named with or without settings, which become its keywords."""
    try:
        name, settings = split_task(text)
    except SettingsError:
        return None
    spec = gym.registry.get(TASKS[name][0]) if name in TASKS else None
    plain = all(isinstance(value, int | float) for value in settings.values())  # as all settings of tasks are
    return None if spec is None or not plain else replace(spec, kwargs={**spec.kwargs, **settings})


def _recorded_in(data_path: Path) -> EnvSpec | None:
    try:
        text = json.loads((data_path / "metadata.json").read_text(encoding="utf-8")).get("env_spec")
        return None if text is None else recorded_spec(text)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None  # unreadable metadata name no environment

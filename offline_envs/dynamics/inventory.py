"""What the cache holds and for what, and how entries are deleted."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline_envs.dynamics.checkpoint import read_model_card
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.fitting.fit_state import STATE_FILE
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.gaussian_process.settings import GaussianProcessSettings
from offline_envs.dynamics.gaussian_process.store import PROCESSES
from offline_envs.dynamics.store import (
    DISAGREEMENT_STATS,
    DISCRIMINATORS,
    ENSEMBLES,
    MEANS,
    TERMINATIONS,
    cache_folder,
)
from offline_envs.errors import CheckpointError
from offline_envs.files import delete, lock_of, locked_if_free, read_json, read_tensors, target_of
from offline_envs.settings import JsonSettings

LEFTOVER = "leftover"
"""Kind of what killed processes left behind, which nobody needs."""

_OURS = re.compile(r"\.?(?P<key>[0-9a-f]{32})(\..*)?")
"""Names in the folders of the cache; others are not ours and are neither listed nor deleted."""


@dataclass(frozen=True)
class CacheEntry:
    """One result in the cache, or what is left of one.

    Attributes:
        kind: `"ensemble"`, `"Gaussian process"`, `"interrupted fit"`, `"termination head"`, `"disagreement"`,
            `"mean uncertainty"`, `"discriminators"` or `LEFTOVER`.
        path: File or folder.
        dataset: Description of the dataset, or `"unknown"`.
        fingerprint: The dataset's fingerprint, or `""`.
        settings: Settings that differ from the defaults, in words.
        size: Bytes on disk.
        modified: Time of the last change, in seconds since 1970.
    """

    kind: str
    path: Path
    dataset: str
    fingerprint: str
    settings: str
    size: int
    modified: float


def cache_entries(cache_dir: Path | str | None = None) -> list[CacheEntry]:
    """List everything in the cache, the oldest first.

    Args:
        cache_dir: Cache folder, see `cache_folder`.
    """
    root = cache_folder(cache_dir)
    found = [_entry(path) for name in _READERS for path in _ours(root / name)]
    return sorted(found, key=lambda entry: (entry.modified, entry.path))


def delete_entry(entry: CacheEntry) -> bool:
    """Delete an entry, unless a living process works on this result: it holds the lock.

    Returns:
        Whether it is gone.
    """
    match = _OURS.fullmatch(entry.path.name)
    assert match is not None
    with locked_if_free(lock_of(entry.path.with_name(match["key"]))) as free:
        if free:
            delete(entry.path)
    return not entry.path.exists()


def _ours(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if _OURS.fullmatch(path.name))


def _entry(path: Path) -> CacheEntry:
    kind, about = LEFTOVER, _About("", "", "")
    if not _is_leftover(path):
        kind, read = _READERS[path.parent.name]
        if path.suffix == ".partial":
            kind, read = "interrupted fit", _INTERRUPTED[path.parent.name]
        try:
            about = read(path)
        except (CheckpointError, KeyError, TypeError) as error:
            about = _About("unknown", "", f"damaged: {error}")
    files = [file for file in (path, *path.rglob("*")) if file.is_file()]
    stats = [file.stat() for file in files] or [path.stat()]
    size = sum(stat.st_size for stat in stats) if files else 0
    modified = max(stat.st_mtime for stat in stats)
    return CacheEntry(kind, path, about.dataset, about.fingerprint, about.settings, size, modified)


def _is_leftover(path: Path) -> bool:
    if target_of(path) is not None or path.suffix == ".lock":
        return True
    finished = any(path.with_suffix(suffix).exists() for suffix in ("", ".safetensors"))
    return path.suffix == ".partial" and (finished or not (path / STATE_FILE).exists())


@dataclass(frozen=True)
class _About:
    dataset: str
    fingerprint: str
    settings: str


def _of_ensemble(folder: Path) -> _About:
    card = read_model_card(folder)
    shape = (card.get("settings"), EnsembleSettings())
    return _of_model(card, _chosen(shape, (card["fit_settings"], FitSettings())))


def _of_process(folder: Path) -> _About:
    card = read_model_card(folder)
    return _of_model(card, _chosen((card["fit_settings"], GaussianProcessSettings())))


def _of_model(card: Mapping[str, Any], settings: str) -> _About:
    dataset = card["dataset"] or {}
    return _About(dataset.get("source", "unknown"), dataset.get("fingerprint", ""), settings)


def _of_fit(folder: Path) -> _About:
    _, header = read_tensors(folder / STATE_FILE)
    identity = header["identity"]
    shape = (identity["ensemble settings"], EnsembleSettings())
    settings = _chosen(shape, (identity["fit settings"], FitSettings()))
    epochs = len(header["progress"]["train_loss"])
    return _About("unknown", identity["dataset"], f"{settings}, {epochs} epochs done")


def _of_process_fit(folder: Path) -> _About:
    _, header = read_tensors(folder / STATE_FILE)
    identity = header["identity"]
    settings = _chosen((identity["fit settings"], GaussianProcessSettings()))
    done = header["progress"]["outputs done"]
    return _About("unknown", identity["dataset"], f"{settings}, {done} outputs done")


def _of_head(path: Path) -> _About:
    _, header = read_tensors(path)
    about = header.get("about", {})
    return _About(about.get("source", "unknown"), about.get("dataset", ""), f"seed {about.get('seed', '?')}")


def _of_disagreement(path: Path) -> _About:
    about = read_json(path)["about"]
    settings = f"members {about['members']}, units {about['units']}"
    if "disagreement" in about:
        settings += f", disagreement {about['disagreement']}"
    return _About(about["source"], about["dataset"], settings)


def _of_mean(path: Path) -> _About:
    about = read_json(path)["about"]
    return _About(about["source"], about["dataset"], f"{about['measure']}, members {about['members']}")


def _of_discriminators(path: Path) -> _About:
    _, header = read_tensors(path)
    about = header["about"]
    return _About(about["source"], about["dataset"], f"seed {about['settings']['seed']}")


def _of_their_training(folder: Path) -> _About:
    _, header = read_tensors(folder / STATE_FILE)
    done = header["progress"]["snapshots"]
    return _About("unknown", header["identity"]["dataset"], f"{done} discriminators done")


def _chosen(*given: tuple[Mapping[str, Any] | None, JsonSettings]) -> str:
    """Settings that differ from their defaults, each with the defaults of its kind."""
    other = [
        f"{name}={value}"
        for values, defaults in given
        for name, value in (values or {}).items()
        if defaults.to_json().get(name) != value
    ]
    return ", ".join(other) or "defaults"


_READERS: Mapping[str, tuple[str, Callable[[Path], _About]]] = {
    ENSEMBLES: ("ensemble", _of_ensemble),
    PROCESSES: ("Gaussian process", _of_process),
    TERMINATIONS: ("termination head", _of_head),
    DISAGREEMENT_STATS: ("disagreement", _of_disagreement),
    DISCRIMINATORS: ("discriminators", _of_discriminators),
    MEANS: ("mean uncertainty", _of_mean),
}
"""Kind and reader of the results in each folder of the cache."""

_INTERRUPTED: Mapping[str, Callable[[Path], _About]] = {
    ENSEMBLES: _of_fit,
    PROCESSES: _of_process_fit,
    DISCRIMINATORS: _of_their_training,
}
"""Reader of the unfinished fits in each folder that has them."""

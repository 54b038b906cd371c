"""Find the data folder of a Minari id: the user's own, embedded in the package, or downloaded."""

import os
import re
import socket
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import minari
from rich.console import Console

from offline_envs.errors import DatasetError

EMBEDDED_ROOT = Path(__file__).parent / "embedded"
"""Folder of `<namespace>/<name>/data/{metadata.json, main_data.hdf5}`."""

HUGGING_FACE = "https://huggingface.co"
"""Where Minari keeps its datasets."""

REACHABLE_WITHIN = 5.0
"""Seconds after which a server that does not answer counts as out of reach."""

MINARI_ID = re.compile(r"(?:[-\w]+/)*[-\w]+-v\d+")
"""`[namespace/]name-vN`."""

MINARI_ROOT_VARIABLE = "MINARI_DATASETS_PATH"
"""Environment variable that names the folder of Minari's datasets; Minari reads it at every call."""

ONE_CHARACTER = re.compile(r"^[-\w]/")
"""A namespace that Minari does not accept."""


def ids_under(root: Path) -> list[str]:
    """Ids of the Minari datasets below a folder, sorted; empty if there is no such folder."""
    found = root.rglob("data/metadata.json") if root.is_dir() else ()
    return sorted(path.parent.parent.relative_to(root).as_posix() for path in found)


def embedded_ids() -> list[str]:
    """Ids of the datasets that come with the package, sorted; they need no download."""
    return ids_under(EMBEDDED_ROOT)


def minari_root() -> Path:
    """Folder of the user's Minari datasets: `MINARI_DATASETS_PATH`, or `~/.minari/datasets`.

    Minari's own function creates the folder, which fails where the home folder is read-only.
    """
    return Path(os.environ.get(MINARI_ROOT_VARIABLE) or Path.home() / ".minari" / "datasets")


def known_ids() -> list[str]:
    """Ids that can be loaded without a download, sorted."""
    return sorted({*ids_under(minari_root()), *ids_under(EMBEDDED_ROOT)})


def minari_data_path(dataset_id: str) -> Path:
    """Find the folder that holds `metadata.json`, downloading the dataset if it is not on this machine.

    Raises:
        DatasetError: The id has no version, or the dataset is not here and cannot be downloaded.
    """
    if not MINARI_ID.fullmatch(dataset_id):
        raise DatasetError(
            f"{dataset_id!r} is not a Minari id of the form [namespace/]name-vN, "
            f"e.g. 'mujoco/hopper/medium-v0'.{_nearest(dataset_id)}"
        )
    path = data_path_here(dataset_id)
    if path is None and ONE_CHARACTER.search(dataset_id):
        raise DatasetError(
            f"{dataset_id!r} is not on this machine, and Minari's server cannot have it: a namespace has at "
            f"least two characters there.{_nearest(dataset_id)}"
        )
    if path is None and (Path(dataset_id) / "data").is_dir():
        raise DatasetError(
            f"{dataset_id!r} is the id of no dataset on this machine. If you mean the folder of that name, "
            f"write './{dataset_id}'."
        )
    return path if path is not None else _download(dataset_id)


def data_path_here(dataset_id: str) -> Path | None:
    """The folder that holds the `metadata.json` of a dataset that is on this machine, or None."""
    paths = (root / dataset_id / "data" for root in (minari_root(), EMBEDDED_ROOT))
    return next((path for path in paths if path.is_dir()), None)


def _download(dataset_id: str) -> Path:
    console = Console(stderr=True)
    if console.is_terminal:  # without a network the answer takes long enough to look like a hang
        console.print(f"{dataset_id} is not on this machine: asking Minari's server for it.")
    try:
        check_server()
        minari.download_dataset(dataset_id)
    except Exception as error:  # network, permission, missing client library: each has its own error
        raise DatasetError(
            f"Unknown dataset {dataset_id!r}: it is not under {minari_root()}, not embedded in the package, "
            f"and could not be downloaded: {str(error).rstrip('. ')}.{_nearest(dataset_id)}"
        ) from error
    path = data_path_here(dataset_id)
    if path is None:
        raise DatasetError(f"Downloading {dataset_id!r} left nothing under {minari_root() / dataset_id}.")
    return path


def check_server() -> None:
    """Find out within seconds that Minari's server cannot be reached; its client tries for half a minute.

    Nothing is checked where only the client knows the way (a proxy, another kind of server), or where it is
    told to stay offline and says so at once.

    Raises:
        ConnectionError: It cannot be reached.
    """
    remote, host = os.environ.get("MINARI_REMOTE", "hf://"), os.environ.get("HF_ENDPOINT", HUGGING_FACE)
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    if offline or not remote.startswith("hf://") or getproxies():
        return
    address = urlsplit(host)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=REACHABLE_WITHIN).close()
    except OSError as error:
        raise ConnectionError(f"{address.hostname} cannot be reached: {error.strerror or error}") from error


def _nearest(dataset_id: str) -> str:
    ids = known_ids()
    nearest = get_close_matches(dataset_id, ids, n=5, cutoff=0.5) or ids[:10]
    return f" Nearest ids on this machine: {', '.join(nearest)}." if nearest else " No id is on this machine."

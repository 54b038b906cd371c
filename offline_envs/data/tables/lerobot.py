"""Folders of LeRobot as tables: their rows lie in Parquet files, and JSON says what they are.

The layout of version 3.0, documented in https://github.com/huggingface/lerobot, `docs/source/
lerobot-dataset-v3.mdx`: `meta/info.json` describes the features, `data/chunk-NNN/file-NNN.parquet` hold the
rows of many episodes each, in order. Version 2.1 has a file an episode, with the same columns. Videos lie in
files of their own and are not read.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_envs.data.tables.arrow import ParquetTable
from offline_envs.errors import DatasetError

INFO = Path("meta") / "info.json"

VERSIONS = ("v2.", "v3.")
"""How versions begin whose rows are read."""

NUMBER_TYPES = ("float", "int", "uint", "bool")
"""How types of features begin that are numbers; others are images, videos, texts."""


def is_lerobot_folder(path: Path) -> bool:
    """Whether a folder is laid out as LeRobot's."""
    return (path / INFO).is_file() and (path / "data").is_dir()


class LeRobotTable(ParquetTable):
    """The rows of a LeRobot folder, without images and texts.

    Args:
        path: The folder, which holds `meta` and `data`.

    Raises:
        DatasetError: `meta/info.json` is missing, or of another version, or rows are missing; see
            `ParquetTable`.

    Warns:
        UserWarning: Observations that are images or texts are left out.
    """

    def __init__(self, path: Path) -> None:
        info = _read_info(path)
        super().__init__(path / "data")
        self.source = f"LeRobot folder {str(path)!r}"
        self._features: Mapping[str, Any] = info["features"]
        self.names = [name for name in self.names if self._is_number(name)]
        self._check_size(info)
        _warn_of_left_out(self.source, self._features, self.names)

    def dimension_names(self, name: str, k: int) -> list[str]:
        """Name the k numbers of a feature as `meta/info.json` does, or by their numbers."""
        names = self._features[name].get("names")
        if isinstance(names, Mapping):  # some robots group them: {"motors": [...]}
            groups = [part for part in names.values() if isinstance(part, list)]
            names = [one for part in groups for one in part]
        if isinstance(names, list) and len(names) == k:
            return [f"{name}.{one}" for one in names]
        return super().dimension_names(name, k)

    def _is_number(self, name: str) -> bool:
        return str(self._features.get(name, {}).get("dtype", "")).startswith(NUMBER_TYPES)

    def _check_size(self, info: Mapping[str, Any]) -> None:
        promised, found = info.get("total_frames"), sum(self._sizes)
        if promised is not None and promised != found:
            raise DatasetError(
                f"{self.source}: {INFO} promises {promised} rows, but the files below data hold {found}: "
                "some are missing, or do not belong here."
            )


def _read_info(path: Path) -> Mapping[str, Any]:
    try:
        info = json.loads((path / INFO).read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{path} is no LeRobot folder: {INFO} cannot be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise DatasetError(f"{path / INFO} is not JSON: {error}.") from error
    features = info.get("features") if isinstance(info, dict) else None
    if not isinstance(features, dict) or not all(isinstance(one, dict) for one in features.values()):
        raise DatasetError(f"{path / INFO} does not describe features, as LeRobot's does.")
    version = str(info.get("codebase_version"))
    if not version.startswith(VERSIONS):
        raise DatasetError(
            f"{path} has LeRobot's layout of version {version}; 3.0 and 2.1 can be read. LeRobot has a "
            "script that converts it."
        )
    read: Mapping[str, Any] = info
    return read


def _warn_of_left_out(source: str, features: Mapping[str, Any], names: list[str]) -> None:
    left_out = [
        f"{name} ({feature.get('dtype')})"
        for name, feature in features.items()
        if name.startswith("observation") and name not in names
    ]
    if left_out:
        warnings.warn(
            f"{source}: {', '.join(left_out)} left out: only numbers can be learned from. If the rest does "
            "not show the whole state, a model of it will be poor.",
            stacklevel=4,
        )

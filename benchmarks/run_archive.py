"""A zip of what is worth keeping of runs: settings, result and metrics, under `dataset/method/seed-n`."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline_envs.files import new_file

KEPT = ("settings.json", "result.json", "metrics.csv")
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file, so that the same runs give the same bytes."""


@dataclass(frozen=True)
class ArchivedRun:
    """One run of the archive; returns are undiscounted and real.

    Attributes:
        dataset: Name of its dataset.
        method: Name of its method.
        seed: Name of its last folder, `seed-<n>`.
        result: Content of `result.json`.
        steps: Gradient steps of its evaluations.
        returns: Mean return of each evaluation.
        lengths: Mean number of steps of each.
        normalized: Normalised score of each, None where the environment has no constants.
    """

    dataset: str
    method: str
    seed: str
    result: Mapping[str, Any]
    steps: tuple[int, ...]
    returns: tuple[float, ...]
    lengths: tuple[float, ...]
    normalized: tuple[float | None, ...]

    @property
    def last_policy(self) -> tuple[float, float | None]:
        """Return and normalised score of its last policy, in further episodes.

        Of a run that ended in an earlier one, as its model chose, those of its last evaluation: the further
        episodes are of the policy that was chosen.
        """
        if self.result.get("chosen_step") in (None, self.steps[-1]):
            return self.result["real_return"], self.result["normalized_score"]
        return self.returns[-1], self.normalized[-1]


def add_run(archive: Path, name: str, run: Path) -> None:
    """Put a run into the archive, in place of one of the same name.

    Args:
        archive: The zip; made if there is none.
        name: `dataset/method/seed-n`.
        run: Folder of a complete run.

    Raises:
        ValueError: The name has other than three parts.
        FileNotFoundError: The run is not complete.
    """
    if len(name.split("/")) != 3:
        raise ValueError(f"A run is named dataset/method/seed-n; got {name!r}.")
    files = _contents(archive) if archive.exists() else {}
    files |= {f"{name}/{kept}": (run / kept).read_bytes() for kept in KEPT}
    files[f"{name}/settings.json"] = _portable(files[f"{name}/settings.json"])
    with new_file(archive) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file, content in sorted(files.items()):
            zipped.writestr(zipfile.ZipInfo(file, DATE), content, zipfile.ZIP_DEFLATED)


def read_runs(archive: Path) -> list[ArchivedRun]:
    """Read all runs, in the order of their names."""
    files = _contents(archive)
    names = sorted(file.removesuffix("/result.json") for file in files if file.endswith("/result.json"))
    return [_run(name, files) for name in names]


def _portable(settings: bytes) -> bytes:
    """Settings that name their model by its folder alone: the rest of the path means nothing elsewhere."""
    values = json.loads(settings)
    if values.get("model"):
        values["model"] = Path(values["model"]).name
    return json.dumps(values, indent=2).encode()


def _contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as zipped:
        return {file: zipped.read(file) for file in zipped.namelist()}


def _run(name: str, files: Mapping[str, bytes]) -> ArchivedRun:
    dataset, method, seed = name.split("/")
    rows = list(csv.DictReader(io.StringIO(files[f"{name}/metrics.csv"].decode())))
    return ArchivedRun(
        dataset=dataset,
        method=method,
        seed=seed,
        result=json.loads(files[f"{name}/result.json"]),
        steps=tuple(int(row["gradient_steps"]) for row in rows),
        returns=tuple(float(row["real_return"]) for row in rows),
        lengths=tuple(float(row["real_length"]) for row in rows),
        normalized=tuple(float(row["normalized_score"]) if row["normalized_score"] else None for row in rows),
    )

"""`RunFolder`: the files of one training run, each replaced atomically."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from offline_envs.dynamics import read_model_card
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import (
    check_writable,
    clear_file_parts,
    clear_leftovers,
    delete,
    holder,
    locked,
    locked_if_free,
    moved_by,
    read_json,
    seal,
    verify,
    write_json,
    write_text,
)
from offline_envs.runs.choice.figures import LAST
from offline_envs.runs.choice.policy_choice import CHOSEN_POLICY
from offline_envs.runs.results import MetricsRow, TrainResult, metrics_text, read_metrics
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import LAST_POLICY
from offline_envs.versions import versions

MOVED_BY = "folder= (--folder)"
"""What moves a run, for errors of the system."""

NOT_SEALED = ("checkpoint", "plots", "tensorboard", ".lock")
"""What may change or disappear once a run is complete."""

REPLACED = (
    *("model", "checkpoint", "policies"),
    *("metrics.csv", "result.json", "versions.json", "checksums.json"),
)
"""What a run replaces or deletes in its folder, and writes after its settings."""

LAST_POLICIES = (LAST_POLICY, "last_policy.pt")
"""Files of a run's last policy: of Stable-Baselines3's agents, and of model-free ones as TorchScript."""


@dataclass(frozen=True, init=False)
class RunFolder:
    """Folder with the files that are needed to understand, repeat and resume a run.

    Args:
        path: The folder; `~` is the user's.

    Attributes:
        path: The folder.
    """

    path: Path

    def __init__(self, path: Path | str) -> None:
        object.__setattr__(self, "path", Path(path).expanduser())

    @property
    def settings_file(self) -> Path:
        """Settings, as JSON."""
        return self.path / "settings.json"

    @property
    def metrics_file(self) -> Path:
        """One line per evaluation, as CSV."""
        return self.path / "metrics.csv"

    @property
    def result_file(self) -> Path:
        """Final figures, as JSON; present when the run is complete."""
        return self.path / "result.json"

    @property
    def model(self) -> Path:
        """The fitted ensemble."""
        return self.path / "model"

    @property
    def policies(self) -> Path:
        """Best and last policy, and the one that the run chose."""
        return self.path / "policies"

    @property
    def chosen_policy(self) -> Path:
        """The policy that the run chose; there is none if it takes its last one."""
        return self.policies / CHOSEN_POLICY

    def final_policy(self) -> Path:
        """The policy that the run ends with, the chosen or the last one.

        Raises:
            CheckpointError: The folder holds no run, or one that has not been evaluated yet.
        """
        names = LAST_POLICIES if self.settings().choose == LAST else (CHOSEN_POLICY,)
        for file in (self.policies / name for name in names):
            if file.is_file():
                return file
        raise CheckpointError(f"{self.policies} holds no policy yet. Let the run come to an evaluation.")

    @property
    def plots(self) -> Path:
        """Plots, as PNG files."""
        return self.path / "plots"

    @property
    def checkpoint(self) -> Path:
        """State to resume from: agent, replay buffer, state of the algorithm. A complete run has none."""
        return self.path / "checkpoint"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard logs."""
        return self.path / "tensorboard"

    @property
    def has_progress(self) -> bool:
        """Whether deleting the folder would lose work: an evaluation or a checkpoint.

        The model would not be lost: it is a copy of one in the cache or in a folder of the user's.
        """
        return self.metrics_file.exists() or self.checkpoint.exists()

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder for one run: another process that wants it is refused meanwhile.

        Raises:
            SettingsError: Another process holds it.
            StorageError: The folder cannot be written.
        """
        with moved_by(MOVED_BY), locked(self._lock, busy=self._refuse, protects=self.path):
            self._clear()
            yield

    def clear_if_free(self) -> None:
        """Delete what a process that was killed as it completed the run left, unless one works here now."""
        if self.checkpoint.exists() or self._lock.exists():
            with locked_if_free(self._lock) as free:
                if free:
                    self._clear()

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    def _refuse(self) -> None:
        raise SettingsError(
            f"{self.path} is in use by {holder(self._lock)}. Wait for it, stop it, or choose another folder."
        )

    def _clear(self) -> None:
        """Delete what killed processes left of what a run writes, and the checkpoint of a complete run.

        Other hidden files stay: the folder may also be one that the user works in.
        """
        for place in (self.path, self.policies, self.plots):
            clear_file_parts(place)
        for folder in (self.model, self.checkpoint):
            clear_leftovers(folder)
        if self.result_file.exists():
            delete(self.checkpoint)

    def check(self, settings: RunSettings, *, resume: bool) -> None:
        """Refuse a folder that holds another run, unless that run has no progress to lose.

        Raises:
            SettingsError: The folder holds a run already and `resume` is false, or a run of other settings;
                or the model that the settings name lies inside its own one; or it holds something else that a
                run would replace.
            StorageError: The folder cannot be written.
            CheckpointError: Its settings cannot be read, or are not those of a run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(f"{self.path} is a file. Choose a folder.")
        check_writable(self.path, MOVED_BY)
        given = _resolved(settings.model)
        if given is not None and self.model.resolve() in given.parents:
            raise SettingsError(
                f"model must not lie inside {self.model}, which the run replaces by its own copy, got "
                f"{settings.model}. Move it, or choose another folder."
            )
        if not self.settings_file.exists():
            self._check_free(given)
            return
        found = self.settings()
        if not self.has_progress:
            return
        if not resume:
            raise SettingsError(
                f"{self.path} holds a run already. Resume it (--resume) or choose another folder."
            )
        different = _differences(settings, found)
        if "model" in different and self._holds_model(settings.model):
            different.remove("model")
        if different:
            raise SettingsError(
                f"{self.path} holds a run with other settings: {', '.join(different)} differ. "
                "Resume with the same settings, or choose another folder."
            )

    def _check_free(self, given: Path | None) -> None:
        """Refuse a folder of something else that a run would replace; the model that is given would stay."""
        places = [self.path / name for name in REPLACED]
        held = [place.name for place in places if place.exists() and place.resolve() != given]
        if held:
            raise SettingsError(
                f"A new run needs a folder with nothing that it would replace, and {self.path} holds "
                f"{', '.join(held)}, but no settings of a run. Choose another folder."
            )

    def _holds_model(self, path: str | None) -> bool:
        """Whether the run's copy of its model has the contents of the one at `path`, wherever that is."""
        if path is None or not self.model.exists():
            return False
        return read_model_card(Path(path).expanduser()) == read_model_card(self.model)

    def create(self, settings: RunSettings) -> None:
        """Make the folder of a new run; one with progress, which `check` has accepted, stays unchanged.

        The model of a run that came no further is removed, since this run's may be another, unless it is the
        one that the settings name.
        """
        if self.settings_file.exists() and self.has_progress:
            return
        if _resolved(settings.model) != self.model.resolve():
            delete(self.model)
        self.write_json(self.settings_file, settings.to_json())
        self.write_json(self.path / "versions.json", versions())

    def settings(self) -> RunSettings:
        """Read the settings back; `TrainSettings.from_json(found.to_json())` trains by them again.

        Raises:
            CheckpointError: The file is missing or does not hold settings.
        """
        try:
            return RunSettings.from_json(json.loads(self.settings_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{self.path} is not the folder of a run: {error}") from error

    def write_result(self, result: TrainResult) -> None:
        """Seal the run's files, then write the final figures, which mark the run as complete."""
        seal(self.path, but=NOT_SEALED)
        write_json(self.result_file, result.to_json())

    def result(self) -> TrainResult:
        """Read the final figures back.

        Raises:
            CheckpointError: The run is not complete, or one of its files is missing or altered.
        """
        try:
            result = TrainResult(**read_json(self.result_file))
        except (CheckpointError, TypeError) as error:
            raise CheckpointError(f"{self.path} holds no complete run: {error}") from error
        verify(self.path)
        return result

    def write_json(self, path: Path, values: Any) -> None:
        """Write `values` to `path` as JSON."""
        write_text(path, json.dumps(values, indent=2) + "\n")

    def write_metrics(self, rows: Sequence[MetricsRow]) -> None:
        """Write all evaluations so far."""
        write_text(self.metrics_file, metrics_text(rows))

    def read_metrics(self) -> list[MetricsRow]:
        """Read the evaluations back.

        Raises:
            CheckpointError: The file is damaged.
        """
        return read_metrics(self.metrics_file)


def _differences(ours: RunSettings, theirs: RunSettings) -> list[str]:
    """Names of the settings that differ, compared with defaults filled in, since a file may lack these."""
    names = [field.name for field in fields(RunSettings)]
    return [name for name in names if getattr(ours, name) != getattr(theirs, name)]


def _resolved(model: str | None) -> Path | None:
    """Where the model that settings name lies, however its path is written."""
    return None if model is None else Path(model).expanduser().resolve()

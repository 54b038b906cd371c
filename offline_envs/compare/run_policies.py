"""`RunPolicy`: the policy of a run, and what its real return is, if that is known."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.policies import TORCHSCRIPT_SUFFIX, Predictor, TorchScriptPolicy, read_agent
from offline_envs.runs import RunFolder, RunSettings

SAME = ("dataset", "columns", "task", "env_id", "env_kwargs", "history")
"""Settings that the runs of a comparison must share, because they decide the data and what returns mean."""


@dataclass(frozen=True)
class RunPolicy:
    """A policy to be judged.

    Attributes:
        name: Its name in tables, unique in a comparison: the last parts of the run's folder.
        folder: The run's folder.
        settings: The run's settings.
        policy_file: The file of the policy.
        real_return: Mean real return according to the run's result; None for a run without one.
    """

    name: str
    folder: RunFolder
    settings: RunSettings
    policy_file: Path
    real_return: float | None

    @property
    def model(self) -> str | None:
        """Folder of the run's own model; None if it has none."""
        return str(self.folder.model) if self.folder.model.is_dir() else None

    @property
    def policy_checksum(self) -> str:
        """SHA-256 of the policy's file."""
        return hashlib.sha256(self.policy_file.read_bytes()).hexdigest()

    def load_policy(self, transitions: Transitions) -> Predictor:
        """Load the policy onto the CPU. The file can run code: load only what you trust.

        Raises:
            CheckpointError: It cannot be loaded.
        """
        if self.policy_file.suffix == TORCHSCRIPT_SUFFIX:
            return TorchScriptPolicy(
                self.policy_file, transitions.obs_dim, transitions.action_space, seed=self.settings.seed
            )
        return read_agent(self.policy_file, self.settings.agent)


def find_policies(folders: Sequence[Path]) -> list[RunPolicy]:
    """Read the runs that are to be compared.

    Args:
        folders: Folders of runs, or folders of `seed-<n>` folders of runs.

    Raises:
        CheckpointError: A folder holds no run or no policy, or a complete run was altered.
        SettingsError: Fewer than two runs, the same twice, or runs of different data.
    """
    runs = [run for folder in folders for run in _runs_in(folder)]
    if len(runs) < 2 or len({run.resolve() for run in runs}) < len(runs):
        raise SettingsError(
            "compare needs at least two different runs, got "
            f"{', '.join(map(str, runs)) or 'none'}. Give the folders of runs of one dataset."
        )
    policies = [_run_policy(run, name) for run, name in zip(runs, run_names(runs), strict=True)]
    for other in policies[1:]:
        first = policies[0].settings
        different = [n for n in SAME if getattr(other.settings, n) != getattr(first, n)]
        if different:
            raise SettingsError(
                f"compare needs runs of the same data: {other.folder.path} differs from "
                f"{policies[0].folder.path} in {', '.join(different)}."
            )
    return policies


def _runs_in(folder: Path) -> list[Path]:
    if RunFolder(folder).settings_file.exists():
        return [folder]
    seeds = sorted(path for path in folder.glob("seed-*") if RunFolder(path).settings_file.exists())
    return seeds or [folder]  # of which `RunFolder.settings` says what is missing


def run_names(runs: Sequence[Path]) -> list[str]:
    """Each run's path below the deepest folder that holds all of them, at least one."""
    whole = [run.resolve() for run in runs]
    common = Path(os.path.commonpath([run.parent for run in whole]))
    return [run.relative_to(common).as_posix() for run in whole]


def _run_policy(path: Path, name: str) -> RunPolicy:
    folder = RunFolder(path)
    settings = folder.settings()
    result = folder.result() if folder.result_file.exists() else None
    return RunPolicy(
        name, folder, settings, folder.final_policy(), None if result is None else result.real_return
    )

"""`SweepConfig`: what a sweep runs, as read from a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.settings import JsonSettings, TypedSettings

FIGURES = ("predicted_return", "real_return")
"""Figures of an evaluation by which runs may be stopped."""


@dataclass(frozen=True)
class Resources(JsonSettings):
    """What one run occupies.

    Attributes:
        cpus: Processor cores; runs use one thread for each, at least one.
        gpus: GPUs; a fraction lets several runs share one. Runs need `device = "cuda"` to use it.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.cpus <= 0:
            raise SettingsError(f"cpus must be more than 0, got {self.cpus}.")
        if self.gpus < 0:
            raise SettingsError(f"gpus must be at least 0, got {self.gpus}.")


@dataclass(frozen=True)
class Stop(JsonSettings):
    """When runs are stopped early: asynchronous successive halving (Li et al. 2020, ASHA).

    At `first`, `first` · `keep`, `first` · `keep`² … gradient steps only the best of `keep` runs continues.

    Attributes:
        figure: What is compared, `"predicted_return"`, the model's, or `"real_return"`, which uses the real
            environment.
        first: Gradient steps that every run takes.
        keep: Of how many runs one continues.
    """

    figure: str = "predicted_return"
    first: int = 10_000
    keep: int = 3

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.figure not in FIGURES:
            raise SettingsError(f"figure must be one of {', '.join(FIGURES)}, got {self.figure!r}.")
        if self.first < 1:
            raise SettingsError(f"first must be at least 1, got {self.first}.")
        if self.keep < 2:
            raise SettingsError(f"keep must be at least 2, got {self.keep}.")


@dataclass(frozen=True)
class SweepConfig(TypedSettings):
    """A sweep.

    Attributes:
        settings: Settings of every run, by the names of `TrainSettings`.
        grid: Values of what varies; every combination is a run. A dot leads into settings that hold others,
            as in `"fit.learning_rate"`.
        preset: Name of a preset that the settings start from.
        stop: When runs are stopped early; None for never.
        resources: What one run occupies.
        retries: How often a run whose process died is tried again, from its checkpoint.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    stop: Stop | None = None
    resources: Resources = field(default_factory=Resources)
    retries: int = 3

    def __post_init__(self) -> None:
        """Check the grid."""
        super().__post_init__()
        for name, values in self.grid.items():
            if not isinstance(values, list) or not values:
                raise SettingsError(f"grid: {name} must be a list of one value or more, got {values!r}.")
            if name in self.settings:
                raise SettingsError(f"{name} is in settings and in grid: leave it out of one of them.")
        if self.retries < 0:
            raise SettingsError(f"retries must be at least 0, got {self.retries}.")

    @classmethod
    def read(cls, path: Path) -> "SweepConfig":
        """Read a TOML file whose tables and entries are the attributes.

        Args:
            path: The file.

        Raises:
            SettingsError: It cannot be read, or does not describe a sweep.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read as TOML: {error}") from error
        try:
            return cls._from(values)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from error

    @classmethod
    def _from(cls, values: dict[str, Any]) -> "SweepConfig":
        names = [each.name for each in fields(cls)]
        for name in values:
            if name not in names:
                raise unknown_name("entry", name, names)
        kinds: dict[str, type[JsonSettings]] = {"stop": Stop, "resources": Resources}
        made: dict[str, Any] = {
            name: kinds[name].from_json(value) if name in kinds else value for name, value in values.items()
        }
        return cls(**made)

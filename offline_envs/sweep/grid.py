"""`cells`: the runs of a sweep."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offline_envs.errors import SettingsError
from offline_envs.runs import TrainSettings, algorithm, merged, preset
from offline_envs.sweep.config import Stop, SweepConfig

SEED = "seed"


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        varied: Values of the grid, without the seed.
        settings: Settings of the run.
        group: Name of the folder that the seeds of a combination share, e.g. `"horizon=5,penalty_coef=1.0"`.
    """

    varied: Mapping[str, Any]
    settings: TrainSettings
    group: str

    @property
    def name(self) -> str:
        """Folder of the run below that of the sweep, e.g. `"penalty_coef=1.0/seed-0"`."""
        return f"{self.group}/seed-{self.settings.seed}"


def cells(config: SweepConfig) -> list[Cell]:
    """Make the settings of every run of a sweep, and check them.

    Unless the settings say otherwise, the seed of the fit is 0 for all, so that runs with one dataset share a
    model; their own seeds are the agents'.

    Raises:
        SettingsError: See `TrainSettings`; two runs with one name; no dataset; runs that `stop` cannot
            compare.
    """
    labels = {name: _labels(values) for name, values in config.grid.items()}
    groups = (_group(chosen) for chosen in _combinations(labels))
    combinations = zip(_combinations(config.grid), groups, strict=True)
    made = [_cell(config, values, group) for values, group in combinations]
    names = [cell.name for cell in made]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"Two runs would be called {name}: values of the grid are given twice.")
    if config.stop is not None:
        _check_stop(config.stop, [cell.settings for cell in made])
    return made


def _check_stop(stop: Stop, runs: Sequence[TrainSettings]) -> None:
    """Refuse a rule that cannot compare the runs."""
    longest = max(settings.gradient_steps for settings in runs)
    if stop.first >= longest:
        raise SettingsError(
            f"stop: first must be below the gradient steps of the longest run, {longest}, got {stop.first}."
        )
    for settings in runs:
        if stop.figure == "predicted_return" and "model" not in algorithm(settings.algorithm).uses:
            raise SettingsError(
                f"stop: {settings.algorithm} has no model that predicts returns. Set figure to real_return."
            )


def _combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of values, the last name's varying fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _cell(config: SweepConfig, values: Mapping[str, Any], group: str) -> Cell:
    given = {**config.settings, **values}
    start = {} if config.preset is None else preset(config.preset).start_of(given)
    settings = merged(start, config.settings)
    for name, value in values.items():
        settings = _with(settings, name, value)
    if "dataset" not in settings:
        raise SettingsError("A sweep needs a dataset, in settings or in grid.")
    made = TrainSettings.for_algorithm(settings)
    if fits_model(made):
        made = TrainSettings.for_algorithm(merged({"fit": {"seed": 0}}, settings))
    varied = {name: value for name, value in values.items() if name != SEED}
    return Cell(varied, made, group)


def fits_model(settings: TrainSettings) -> bool:
    """Whether a run has a model that is fitted for it."""
    return settings.model is None and "fit" in algorithm(settings.algorithm).uses


def _with(settings: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The settings with a value at a path, `"fit.seed"` for example; what lies beside it stays."""
    first, _, rest = path.partition(".")
    if not rest:
        return merged(settings, {first: value})
    holder = settings.get(first)
    return {**settings, first: _with(holder if isinstance(holder, Mapping) else {}, rest, value)}


def _group(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={label}" for name, label in labels.items() if name != SEED) or "runs"


def _labels(values: Sequence[Any]) -> list[str]:
    """The values of an axis as parts of a file's name: of paths the last part, and more if it is alike."""
    parts = [each.rstrip("/").split("/") if isinstance(each, str) else [json.dumps(each)] for each in values]
    lengths = range(1, max(map(len, parts)) + 1)
    labels = [[_plain("/".join(each[-length:])) for each in parts] for length in lengths]
    n_values = len({json.dumps(value) for value in values})
    return next((found for found in labels if len(set(found)) == n_values), labels[0])


def _plain(text: str) -> str:
    """A text without characters that need quotes."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("_") or "none"

"""An algorithm from another package: its own default, check, callback, saved state and artefact."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.errors import SettingsError
from offline_envs.runs import (
    ALGORITHMS,
    IN_MODEL,
    AlgorithmState,
    ModelBased,
    ModelRun,
    RunFolder,
    RunSettings,
    TrainSettings,
    train,
)
from offline_envs.settings import JsonSettings
from tests.runs.resuming.test_resume import signalled
from tests.runs.tiny import tiny_settings


@dataclass(frozen=True)
class CountingSettings(JsonSettings):
    by: int = 1


class CountedSteps(BaseCallback, AlgorithmState):
    """Counts steps of the environment, over interruptions, and leaves their number behind."""

    def __init__(self, run: ModelRun) -> None:
        super().__init__()
        self.steps = 0
        self._run = run
        self._by = ALGORITHMS[run.settings.algorithm].own_settings(run.settings).by

    def _on_step(self) -> bool:
        self.steps += self._by
        return True

    def callbacks(self) -> Sequence[BaseCallback]:
        return (self,)

    def save(self, folder: Path) -> None:
        (folder / "steps.json").write_text(json.dumps(self.steps))

    def load(self, folder: Path) -> None:
        self.steps = json.loads((folder / "steps.json").read_text())

    def write_artefacts(self) -> None:
        self._run.folder.write_json(self._run.folder.path / "steps.json", self.steps)


class Counting(ModelBased):
    """Trains as MBPO does, counts, and notes each start."""

    started: list[int] = []  # noqa: RUF012 shared by the one instance

    def check(self, settings: RunSettings) -> None:
        if settings.horizon > 3:
            raise SettingsError(f"horizon must be at most 3 to count, got {settings.horizon}.")

    def start(self, run: ModelRun) -> None:
        super().start(run)
        self.started.append(run.settings.seed)

    def state(self, run: ModelRun) -> AlgorithmState:
        return CountedSteps(run)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ALGORITHMS, "_entries", dict(ALGORITHMS))
    uses = tuple(name for name in IN_MODEL if name != "clone_epochs")
    own = Counting(
        "LearnedModel-v0",
        uses=uses,
        defaults={"horizon": 2},
        agent_defaults={"td3": {"seed": 5}},
        options=CountingSettings,
    )
    ALGORITHMS.register("counting", own)
    Counting.started.clear()


def test_it_trains_and_leaves_its_artefact(tiny_model: Path, tmp_path: Path) -> None:
    settings = tiny_settings(algorithm="counting", model=str(tiny_model))
    assert train(settings, tmp_path, show_progress=False).gradient_steps == 6
    assert json.loads((tmp_path / "steps.json").read_text()) == 6  # three cycles of two steps of four rows
    assert Counting.started == [0]


def test_it_has_settings_of_its_own(tiny_model: Path, tmp_path: Path) -> None:
    settings = tiny_settings(algorithm="counting", model=str(tiny_model), algorithm_options={"by": 2})
    train(settings, tmp_path, show_progress=False)
    assert json.loads((tmp_path / "steps.json").read_text()) == 12  # three cycles of two steps of four rows
    assert RunFolder(tmp_path).settings().algorithm_options == {"by": 2}


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("counting", {"bye": 2}, "Unknown setting of CountingSettings 'bye'. Valid: by"),
        (
            "counting",
            {"by": "two"},
            "algorithm_options has a value of the wrong type: by must be",
        ),
        ("mopo", {"by": 2}, "mopo has no settings of its own, got algorithm_options by"),
    ],
)
def test_settings_that_it_does_not_have_are_refused(
    algorithm: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        TrainSettings("a-v0", algorithm=algorithm, algorithm_options=options)


@pytest.mark.parametrize("at_call", [3, 4])
def test_it_is_interrupted_and_resumed(at_call: int, tiny_model: Path, tmp_path: Path) -> None:
    """The cycle is finished first."""
    settings = tiny_settings(algorithm="counting", model=str(tiny_model))
    with signalled(signal.SIGINT, at_step=at_call), pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path, show_progress=False)
    run = RunFolder(tmp_path)
    saved = json.loads((run.checkpoint / "steps.json").read_text())
    assert saved == 4
    assert not (tmp_path / "steps.json").exists()
    assert train(settings, tmp_path, resume=True, show_progress=False).gradient_steps == 6
    assert json.loads((tmp_path / "steps.json").read_text()) == 6
    assert Counting.started == [0]  # a resumed agent is not prepared again


def test_its_defaults_and_what_it_uses_and_its_check_count() -> None:
    values: dict[str, Any] = {"dataset": "a-v0", "algorithm": "counting"}
    assert TrainSettings.for_algorithm(values).horizon == 2
    assert TrainSettings.for_algorithm({**values, "agent": "td3"}).seed == 5
    with pytest.raises(SettingsError, match="clone_epochs: counting does not use that"):
        TrainSettings.for_algorithm({**values, "clone_epochs": 1})
    with pytest.raises(SettingsError, match="horizon must be at most 3 to count, got 4"):
        TrainSettings.for_algorithm({**values, "horizon": 4})
    with pytest.raises(SettingsError, match="Unknown setting of TrainSettings 'horizn'"):
        TrainSettings.for_algorithm({**values, "horizn": 4})


def test_its_name_is_listed_and_taken() -> None:
    with pytest.raises(SettingsError, match=r"Valid: .*\bcounting\b"):
        TrainSettings("a-v0", algorithm="ppo")
    with pytest.raises(SettingsError, match="The algorithm 'mopo' exists already"):
        ALGORITHMS.register("mopo", ALGORITHMS["counting"])

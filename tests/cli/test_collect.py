import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from offline_envs.cli import app
from tests.cli.runner import fail
from tests.runs.tiny import DEMO

RUNNER = CliRunner()
ARGUMENTS = ["collect", "InvertedPendulum-v5", "test/pendulum-v0", "--steps", "120", "--net-arch", "8"]
PLANNER = ("--kind", "expert", "--policy", "cem", "--learned-from")


def test_collect_writes_a_dataset_and_reports_it(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, [*ARGUMENTS, "--kind", "replay", "--output-root", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "test/pendulum-v0/data/main_data.hdf5").is_file()
    assert "test/pendulum-v0" in result.output
    assert "120, " in result.output


def test_collect_writes_into_minaris_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    result = RUNNER.invoke(app, [*ARGUMENTS, "--kind", "random", "--env-kwargs", '{"frame_skip": 4}'])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "test/pendulum-v0").is_dir()


def test_an_interruption_prints_one_line_and_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*ARGUMENTS, "--kind", "random", "--output-root", str(tmp_path)]

    def interrupt(*args: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("offline_envs.collect.collection.write_dataset", interrupt)
    result = RUNNER.invoke(app, command)
    assert result.exit_code == 130
    assert "Interrupted. Run the same command again to resume." in result.output
    assert "Traceback" not in result.output
    monkeypatch.undo()
    result = RUNNER.invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "120/120" in result.output
    assert [path.name for path in (tmp_path / "test").glob("*pendulum*")] == ["pendulum-v0"]


def test_an_existing_dataset_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "test/pendulum-v0").mkdir(parents=True)
    result = RUNNER.invoke(app, [*ARGUMENTS, "--kind", "random", "--output-root", str(tmp_path)])
    assert result.exit_code == 1
    assert "never overwritten" in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--net-arch", "8,x"], "net-arch must be integers"),
        (["--env-kwargs", "{"], "env-kwargs must be JSON"),
        (["--env-kwargs", "[1]"], "env-kwargs must be a JSON object"),
        (["--train-steps", "5"], "train_steps is for kinds medium and expert"),
        (["--deterministic"], "deterministic is for kinds medium and expert, got kind replay"),
        (["--learned-from", DEMO], "--learned-from is for planners, e.g. cem:horizon=15; received no policy"),
        (["--learned-kwargs", '{"a": 1}'], "--learned-kwargs is for planners"),
        (["--learned-env", "PenalizedModel-v0"], "--learned-env is for planners"),
    ],
)
def test_settings_that_make_no_sense_are_refused(extra: list[str], message: str) -> None:
    result = RUNNER.invoke(app, [*ARGUMENTS, "--kind", "replay", *extra])
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())


def test_a_policy_that_is_not_there_is_named_as_it_was_given(tmp_path: Path) -> None:
    options = [
        "--kind",
        "expert",
        "--output-root",
        str(tmp_path / "new"),
        "--policy",
        str(tmp_path / "no.zip"),
    ]
    result = RUNNER.invoke(app, [*ARGUMENTS, *options])
    assert result.exit_code == 1
    assert result.stderr == f"Error: There is no file {tmp_path / 'no.zip'} to load a policy from.\n"
    assert list((tmp_path).rglob("*.hdf5")) == []


def test_a_place_that_is_taken_is_refused_before_a_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a planner's model is fitted for a dataset that cannot be written."""

    def fitted(*arguments: object) -> None:
        pytest.fail("A model was fitted.")

    monkeypatch.setattr(import_module("offline_envs.cli.collect"), "learned_mdp", fitted)
    (tmp_path / "test/pendulum-v0").mkdir(parents=True)
    assert "is never overwritten" in fail(*ARGUMENTS, *PLANNER, DEMO, "--output-root", tmp_path)


def test_a_planner_for_other_spaces_is_refused_before_a_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(*arguments: object) -> None:
        pytest.fail("A model was fitted.")

    monkeypatch.setattr(import_module("offline_envs.cli.collect"), "learned_mdp", fitted)
    rest = ("test/b-v0", "--steps", 10, *PLANNER, DEMO, "--output-root", tmp_path)
    assert "plans continuous actions, not those of Discrete(2)" in fail("collect", "CartPole-v1", *rest)
    line = fail("collect", "Pendulum-v1", *rest)
    assert "of Pendulum-v1, which have 3 and 1 dimensions; those of its data have 9 and 1" in line


def rows_of(actions: Any) -> dict[str, Any]:
    """Arrays of an episode of four steps, cut by the clock."""
    obs = np.linspace(-1, 1, 15).reshape(5, 3)
    cut = np.array([False, False, False, True])
    flags = {"rewards": np.arange(4.0), "terminals": np.zeros(4, bool), "timeouts": cut}
    return {"observations": obs[:-1], "actions": actions, "next_observations": obs[1:], **flags}


def test_the_data_of_a_planner_are_loaded_by_the_keywords_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays have no metadata, so that their actions would be refused beyond [-1, 1]."""
    found: list[tuple[Any, Any]] = []

    def stop(transitions: Any, learned_env: str, kwargs: Any) -> None:
        found.append((transitions, kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("offline_envs.cli.collect"), "learned_mdp", stop)
    np.savez(tmp_path / "own.npz", **rows_of(actions=np.full((4, 1), 2.0)))
    kwargs = json.dumps({"env_id": "Pendulum-v1", "penalty": "max_std"})
    given = (*PLANNER, tmp_path / "own.npz", "--learned-kwargs", kwargs, "--output-root", tmp_path)
    result = RUNNER.invoke(app, [*map(str, ("collect", "Pendulum-v1", "test/b-v0", "--steps", 10, *given))])
    assert found, result.output
    transitions, rest = found[0]
    assert transitions.env_id == "Pendulum-v1"
    assert transitions.actions.max() == 2
    assert rest == {"penalty": "max_std"}


def test_a_root_that_cannot_be_written_is_refused() -> None:
    call = [*ARGUMENTS, "--kind", "random", "--output-root", "/proc/a"]
    line = fail(*call)
    assert "Cannot write /proc/a/" in line
    assert "--output-root chooses another place" in line


def test_help_lists_the_command_and_its_options() -> None:
    assert "collect" in RUNNER.invoke(app, ["--help"]).output
    result = RUNNER.invoke(app, ["collect", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "--train-steps" in result.output

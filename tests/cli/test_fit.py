import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from offline_envs import dynamics
from offline_envs.cli import app
from offline_envs.dynamics import GaussianProcessDynamics, read_model, read_model_card
from tests.cli.runner import RUNNER, fail, succeed
from tests.runs.tiny import DEMO, ENSEMBLE, FIT

TINY = ("--ensemble", json.dumps(ENSEMBLE), "--fit", json.dumps(FIT))

TWO_AT_ONCE = f"""
from offline_envs import dynamics
from offline_envs.cli import app
print("ready", flush=True)
input()
app(["fit", {DEMO!r}, *{TINY!r}])
"""


def test_fit_writes_a_model_once(tmp_path: Path) -> None:
    output = succeed("fit", DEMO, *TINY, "--output", tmp_path / "new/model", "--seed", 3)
    assert "errors in squared deviations of each output; 1 epochs in" in " ".join(output.split())
    assert output.count("yes") == 5  # Elites.
    assert f"Model: {tmp_path / 'new/model'}" in output
    assert read_model(tmp_path / "new/model", "cpu").n_members == 7
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]
    output = succeed("fit", DEMO, *TINY, "--seed", 3)
    assert "Found in the cache: " in output
    assert "exists already" in fail("fit", DEMO, *TINY, "--output", tmp_path / "new/model")


def test_fit_starts_from_the_weights_of_a_model(tmp_path: Path) -> None:
    """The shape is that of the model, so it need not be said again."""
    succeed("fit", DEMO, *TINY, "--output", tmp_path / "first")
    output = ("--fit", json.dumps(FIT), "--output", tmp_path / "second")
    succeed("fit", DEMO, "--initial", tmp_path / "first", *output)
    first, second = (read_model_card(tmp_path / name) for name in ("first", "second"))
    assert second["settings"] == first["settings"]
    assert second["weights_sha256"] != first["weights_sha256"] == second["initial_sha256"]
    refusal = fail("fit", DEMO, "--kind", "gp", "--initial", tmp_path / "first")
    assert "has no first weights" in refusal


@pytest.mark.skipif(find_spec("gpytorch") is None, reason="fits need the extra gp")
def test_fit_of_a_gaussian_process(tmp_path: Path) -> None:
    settings = ("--fit", '{"n_rows": 60, "steps": 2}', "--seed", 3)
    output = succeed("fit", DEMO, "--kind", "gp", *settings, "--output", tmp_path / "gp")
    assert "exact, 2 steps for each output" in " ".join(output.split())
    assert output.count("obs[") == 9
    model = read_model(tmp_path / "gp")
    assert isinstance(model, GaussianProcessDynamics)
    assert read_model_card(tmp_path / "gp")["fit_settings"]["seed"] == 3
    assert "Found in the cache: " in succeed("fit", DEMO, "--kind", "gp", *settings)
    listed = succeed("cache", "list")
    assert "Gaussian process" in listed
    assert "n_rows=60" in listed


def test_settings_of_another_kind_are_refused() -> None:
    assert "no members, so --ensemble cannot" in fail("fit", DEMO, "--kind", "gp", *TINY)
    line = fail("fit", DEMO, "--kind", "gp", "--fit", '{"max_epochs": 1}')
    assert "Unknown setting of GaussianProcessSettings 'max_epochs'" in line
    assert "Unknown kind of model to fit 'svm'. Valid: ensemble, gp." in fail("fit", DEMO, "--kind", "svm")


def test_an_interrupted_fit_says_how_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dynamics, "fitted_ensemble", press_ctrl_c)
    result = RUNNER.invoke(app, ["fit", DEMO, *TINY])
    assert result.exit_code == 130
    assert "Run the same command again to resume" in result.output


def test_two_processes_fit_once(tmp_path: Path) -> None:
    """The second must wait for the first, and then find its model."""
    environment = {**os.environ, "OFFLINE_ENVS_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_AT_ONCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    waiting = ["Waiting for another process" in stderr for _, stderr in outputs]
    fitting = ["Epoch 1" in stderr for _, stderr in outputs]
    assert sorted(waiting) == sorted(fitting) == [False, True]
    assert waiting != fitting
    models = [stdout.splitlines()[-1] for stdout, _ in outputs]
    assert models[0] == models[1]


def test_an_output_that_cannot_be_written_is_refused_before_the_fit(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = fail("fit", "no/such-v0", "--output", tmp_path / "file/model")
    assert f"{tmp_path / 'file'} is not a folder. --output chooses another place." in line
    assert "Cannot write /proc/a/m: " in fail("fit", "no/such-v0", "--output", "/proc/a/m")


def test_a_seed_is_given_once() -> None:
    line = fail("fit", DEMO, "--seed", 5, "--fit", '{"seed": 3}')
    assert "--seed 5 contradicts the seed in --fit, 3. Give one of them." in line


def test_invalid_options_are_refused_before_the_fit(toy_dataset: str) -> None:
    assert "--fit must be JSON, got '{'" in fail("fit", DEMO, "--fit", "{")
    assert "--ensemble must be a JSON object" in fail("fit", DEMO, "--ensemble", "[1]")
    assert "Unknown setting of FitSettings 'epochs'" in fail("fit", DEMO, "--fit", '{"epochs": 1}')
    assert "--fit has a value of the wrong type" in fail("fit", DEMO, "--fit", '{"max_epochs": "x"}')
    assert "n_elites must lie in" in fail("fit", DEMO, "--ensemble", '{"n_members": 2}')
    assert "Unknown dataset 'no/such-v0'" in fail("fit", "no/such-v0")
    assert "device='abacus' cannot be used" in fail("fit", DEMO, "--device", "abacus")
    assert "needs at least 50 transitions" in fail("fit", toy_dataset, *TINY)


def test_fit_and_diagnose_with_a_history(tmp_path: Path) -> None:
    model = tmp_path / "model"
    succeed("fit", DEMO, *TINY, "--history", 2, "--output", model)
    assert read_model(model).action_dim == 1 + 9 + 1
    sizes = json.dumps({"rows": 200, "rollouts": 20, "starts": 30, "episodes": 1})
    given = ("--model", model, "--horizon", 5, "--options", sizes, "--output", tmp_path / "report")
    assert "Report:" in succeed("diagnose", DEMO, "--history", 2, *given)
    assert "needs the history= of its fit" in fail("diagnose", DEMO, *given[:-1], tmp_path / "other")

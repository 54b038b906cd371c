"""Every program that is said to work has a script, which `make ecosystem` runs; the page lists them all."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_examples import load

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "integrations"
SCRIPTS = {path.stem.removeprefix("with_") for path in FOLDER.glob("with_*.py")}


def integration(name: str) -> Any:
    return load(f"integrations/{name}")


def test_every_script_has_its_packages_and_its_row() -> None:
    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    assert set(integration("run").PACKAGES) == SCRIPTS
    assert set(re.findall(r"`with_(\w+)\.py` \|", page)) == SCRIPTS


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_says_how_to_run_it(name: str) -> None:
    text = (FOLDER / f"with_{name}.py").read_text(encoding="utf-8")
    assert f"python examples/integrations/with_{name}.py" in text.split('"""')[1]


def test_an_unknown_name_is_refused() -> None:
    command = [sys.executable, str(FOLDER / "run.py"), "skrl", "tensorforce"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Unknown: tensorforce. Valid: rllib, torchrl," in done.stderr


def test_a_script_that_fails_is_named(tmp_path: Path, capfd: Any) -> None:
    """Interpreters that exist are used as they are: here one that fails, and one that does not."""
    for name, command in (("skrl", "false"), ("hydra", "true")):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(f"/bin/{command}")
    assert integration("run").main(["skrl", "hydra"], tmp_path) == 1
    assert "1 of 2 ran. Failed: skrl" in capfd.readouterr().out


def test_rows_are_judged_by_the_known_world() -> None:
    check = integration("known_world").check_rows
    obs = np.zeros((20, 2))
    ended = np.arange(20) % 2 == 0
    check("someone", obs, obs - 0.125, ended)
    wrong = obs - 0.125
    wrong[3] = 0
    with pytest.raises(AssertionError, match="someone stored rows"):
        check("someone", obs, wrong, ended)
    with pytest.raises(AssertionError, match="too few"):
        check("someone", obs, obs - 0.125, ended & False)

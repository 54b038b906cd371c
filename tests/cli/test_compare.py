import json
from pathlib import Path

import pytest

from offline_envs.cli import app
from offline_envs.compare import comparison
from tests.cli.runner import RUNNER, fail, succeed
from tests.compare.fake_runs import SMALL, fake_run

SETTINGS = json.dumps({n: v for n, v in SMALL.to_json().items() if n not in ("model", "gamma")})


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("runs") / "train"
    for seed, real in enumerate((100.0, 250.0)):
        fake_run(root / f"seed-{seed}", seed, model=tiny_model, real_return=real)
    return root


def test_policies_are_compared_and_one_is_chosen(runs: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = succeed(
        *("compare", runs, "--output", tmp_path / "out", "--estimators", "model, fqe,is"),
        *("--model", tiny_model, "--gamma", 0.9, "--settings", SETTINGS),
    )
    for text in ("seed-1", "250", "last_policy.zip", "effective episodes", "lower_bound", "torel"):
        assert text in output
    assert "fqe: discounted by 0.9, until the end" in output
    assert "mean regret 75" in output or "mean regret is 75" in output
    assert f"Figures and plot: {tmp_path / 'out'}" in output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("estimates", "work", "comparison.json", "comparison.png")
    }


def test_ctrl_c_says_how_to_resume(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "_estimates", stop)
    result = RUNNER.invoke(app, ["compare", str(runs), "--output", str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "Run the same command to resume" in result.stderr


def test_what_cannot_be_compared_is_refused(runs: Path, tmp_path: Path) -> None:
    assert "at least two different runs" in fail("compare", runs / "seed-0", "--output", tmp_path / "out")
    assert "Unknown estimator 'magic'" in fail("compare", runs, "--estimators", "magic")
    assert "--gamma 0.5 contradicts" in fail("compare", runs, "--gamma", 0.5, "--settings", '{"gamma": 0.9}')
    assert "is not a model" in fail("compare", runs, "--output", tmp_path / "o", "--model", tmp_path / "no")

from pathlib import Path

import pytest

from offline_envs.cli.demo import _default_folder
from offline_envs.runs import RunFolder
from tests.cli.runner import fail, succeed


def test_the_demo_takes_a_new_folder_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no demo to resume" in fail("demo", "--smoke", "--resume")
    output = succeed("demo", "--smoke")
    assert "InvertedDoublePendulum-v5" in output
    assert "normalised score" in output
    assert "Plots, policies and metrics: runs/demo-1/seed-*/" in output
    assert RunFolder(Path("runs/demo-1/seed-0")).result().gradient_steps == 50
    assert "runs/demo-1/seed-0 is complete" in succeed("demo", "--smoke", "--resume")
    assert _default_folder(resume=False) == Path("runs/demo-2")

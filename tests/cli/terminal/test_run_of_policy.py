"""What commands take from the run in whose folder a policy's file lies."""

from pathlib import Path

import pytest

from offline_envs.cli import app
from offline_envs.runs import RunFolder, RunSettings
from tests.cli.runner import RUNNER
from tests.runs.tiny import DEMO


@pytest.mark.parametrize(("command", "output"), [("diagnose", "report"), ("film", "film.gif")])
def test_a_policy_is_looked_at_in_the_task_of_its_run(command: str, output: str, tmp_path: Path) -> None:
    """The pendulum's data are none for a cheetah, which shows that the task is taken."""
    run = RunFolder(tmp_path / "run")
    run.create(RunSettings(dataset=DEMO, agent="sac", task="halfcheetah-jump"))
    run.policies.mkdir(exist_ok=True)
    policy = run.policies / "last_policy.zip"
    policy.write_bytes(b"")
    found = RUNNER.invoke(app, [command, DEMO, "--policy", str(policy), "--output", str(tmp_path / output)])
    assert found.exit_code == 1
    assert "Task of the policy's run: halfcheetah-jump" in found.stderr
    assert "halfcheetah-jump needs data of HalfCheetah" in found.stderr

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import SAC

from offline_envs.data import load_transitions
from offline_envs.tasks import relabel
from tests.cli.runner import fail, succeed
from tests.tasks.simulated import saved, simulated

CHEETAH = ("--env-id", "HalfCheetah-v5")


@pytest.fixture(scope="module")
def cheetah(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a cheetah's steps under the default reward, without infos."""
    return saved(simulated("HalfCheetah-v5").transitions, tmp_path_factory.mktemp("cheetah") / "data.npz")


def words(output: str) -> str:
    """The output in one line, without the frame of the table."""
    return " ".join(output.replace("│", " ").split())


def test_it_reports_what_it_did(cheetah: Path) -> None:
    report = words(succeed("relabel", cheetah, "--task", "halfcheetah-jump", *CHEETAH))
    before, after = (load_transitions(cheetah), relabel(cheetah, "halfcheetah-jump", env_id="HalfCheetah-v5"))
    for data in (before, after):
        returns = data.episode_returns
        assert f"mean {returns.mean():.1f}, best {returns.max():.1f}" in report
    assert "300 in 3 episodes" in report
    assert "min(vx, 3) - 0.1 |a|^2 + 15 z" in report
    assert "x_velocity from logged reward: exact" in report


def test_it_writes_a_dataset(cheetah: Path, tmp_path: Path) -> None:
    command: list[Any] = ["relabel", cheetah, "--task", "halfcheetah-velocity:target_speed=1", *CHEETAH]
    command += ["--output-id", "my/slow-v0", "--output-root", tmp_path]
    assert "Wrote my/slow-v0" in succeed(*command)
    metadata = json.loads((tmp_path / "my/slow-v0/data/metadata.json").read_text())
    assert metadata["task"] == "halfcheetah-velocity:target_speed=1.0"
    assert "never overwritten" in fail(*command)
    returns = load_transitions(tmp_path / "my/slow-v0").episode_returns
    expected = relabel(cheetah, "halfcheetah-velocity:target_speed=1", env_id="HalfCheetah-v5")
    np.testing.assert_array_equal(returns, expected.episode_returns)


def test_what_cannot_be_relabelled_is_refused(toy_dataset: str, cheetah: Path) -> None:
    assert "Unknown task 'jump'" in fail("relabel", cheetah, "--task", "jump")
    assert "needs observations of 17 dimensions" in fail("relabel", toy_dataset, "--task", "halfcheetah-jump")
    taken = ["--task", "halfcheetah-jump", "--output-id", "noversion"]
    assert "namespace/name-vN" in fail("relabel", cheetah, *taken, *CHEETAH)


def test_other_commands_take_a_task(cheetah: Path, tmp_path: Path) -> None:
    """A model of the task is fitted, found again and judged; the table shows the task's returns."""
    task = ["--task", "halfcheetah-jump", *CHEETAH]
    tiny = ["--ensemble", '{"hidden": [8]}', "--fit", '{"max_epochs": 1}']
    assert "relabelled for halfcheetah-jump" in words(succeed("fit", cheetah, *task, *tiny))
    assert "Found in the cache" in succeed("fit", cheetah, *task, *tiny)
    assert "Found in the cache" not in succeed("fit", cheetah, *CHEETAH, *tiny)
    output = succeed("info", cheetah, *task)
    assert "HalfCheetahJump-v0" in output
    returns = relabel(cheetah, "halfcheetah-jump", env_id="HalfCheetah-v5").episode_returns
    assert f"mean {returns.mean():.1f}" in output
    sizes = '{"rows": 20, "rollouts": 4, "starts": 2, "episodes": 1}'
    few = ["--horizon", 6, "--options", sizes, "--termination", "never", "--output", tmp_path / "report"]
    assert "relabelled for halfcheetah-jump" in words(succeed("diagnose", cheetah, *task, *tiny, *few))


def test_a_policy_is_scored_by_the_task(cheetah: Path, tmp_path: Path) -> None:
    env = relabel(cheetah, "halfcheetah-jump", env_id="HalfCheetah-v5").make_env()
    SAC("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=1, device="cpu", seed=0).save(
        tmp_path / "policy"
    )
    env.close()
    command: list[Any] = ["evaluate", tmp_path / "policy.zip", "--task", "halfcheetah-jump", "--episodes", 1]
    alone, beside = succeed(*command), succeed(*command, "--dataset", cheetah, *CHEETAH)
    score = re.search(r"return +│ +(-?[\d.]+) ± 0.0", alone)
    assert score is not None
    assert "HalfCheetahJump-v0" in alone
    assert f"return {score.group(1)} ± 0.0" in words(beside)
    assert "Give the real environment" in fail(*command, *CHEETAH)

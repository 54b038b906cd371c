from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete, MultiDiscrete

from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.export import export_policy
from offline_envs.runs import RunFolder
from offline_envs.sb3 import current_policy, save_policy
from tests.export.files import HIGH, LOW, metadata, run, run_of
from tests.runs.tiny import tiny_settings

pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx", exc_type=ImportError)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sac", {"buffer_size": 2}),
        ("fastsac", {"buffer_size": 2, "actor_ema_decay": 0.5}),
        ("trpo", {}),
        ("trpo", {"actor_ema_decay": 0.5}),
    ],
)
def test_actions_are_those_of_predict(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Squashed ones are scaled to the bounds, others are clipped."""
    agent = run_of(name, tmp_path / "run", **options)
    export_policy(str(tmp_path / "run"), str(tmp_path / "policy.onnx"))
    obs = 20 * np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    (action,) = run(tmp_path / "policy.onnx", obs)
    np.testing.assert_allclose(action, agent.predict(obs, deterministic=True)[0], atol=2e-5)
    assert np.ptp(action) > 0.01
    found = metadata(tmp_path / "policy.onnx")
    assert (found["kind"], found["agent"], found["seed"]) == ("policy", name, 4)
    assert (found["obs_dim"], found["action_low"], found["action_high"]) == (3, list(LOW), list(HIGH))


@pytest.mark.parametrize(("name", "options"), [("fastsac", {"buffer_size": 2}), ("trpo", {})])
def test_a_policy_that_acts_by_an_average_is_written_as_the_average(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    agent = run_of(name, tmp_path / "run", actor_ema_decay=0.5, **options)
    agent.policy.start_average()
    with torch.no_grad():
        for weight in agent.policy.current.parameters():
            weight.add_(0.3)
    save_policy(agent, RunFolder(tmp_path / "run").policies / "last_policy.zip")
    export_policy(tmp_path / "run", tmp_path / "policy.onnx")
    obs = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    (action,) = run(tmp_path / "policy.onnx", obs)
    np.testing.assert_allclose(action, agent.predict(obs, deterministic=True)[0], atol=2e-5)
    current = current_policy(agent)
    assert current is not None
    assert abs(action - current.predict(obs, deterministic=True)[0]).max() > 0.01


@pytest.mark.parametrize(
    ("name", "space", "options"),
    [
        ("dqn", Discrete(3), {"buffer_size": 2}),
        ("qrdqn", Discrete(3), {"buffer_size": 2}),
        ("trpo", Discrete(3), {}),
        ("trpo", MultiDiscrete([2, 3]), {}),
    ],
)
def test_choices_are_those_of_predict(name: str, space: Any, options: dict[str, Any], tmp_path: Path) -> None:
    agent = run_of(name, tmp_path / "run", space, **options)
    export_policy(tmp_path / "run", tmp_path / "policy.onnx")
    obs = 20 * np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    (action,) = run(tmp_path / "policy.onnx", obs)
    assert action.dtype == np.int64
    assert np.array_equal(action, agent.predict(obs, deterministic=True)[0])
    assert len(np.unique(action)) > 1
    found = metadata(tmp_path / "policy.onnx")
    assert found["action_choices"] == (3 if isinstance(space, Discrete) else [2, 3])
    assert "action_low" not in found


def test_runs_without_such_a_policy_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        export_policy(tmp_path, tmp_path / "policy.onnx")
    run_folder = RunFolder(tmp_path / "run")
    run_folder.create(tiny_settings(algorithm="bc"))
    with pytest.raises(CheckpointError, match="holds no policy yet"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    run_folder.policies.mkdir()
    (run_folder.policies / "last_policy.pt").touch()
    with pytest.raises(SettingsError, match="libtorch"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    (run_folder.policies / "last_policy.zip").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"last_policy\.zip cannot be loaded as a policy of"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    assert not (tmp_path / "policy.onnx").exists()

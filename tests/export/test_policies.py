from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.export import export_policy
from offline_envs.runs import RunFolder
from offline_envs.sb3 import agent_class, save_policy
from tests.export.test_models import metadata, run
from tests.runs.tiny import tiny_settings

pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")

LOW, HIGH = (-2.0, 0.0), (2.0, 3.0)


class Spaces(gym.Env[Any, Any]):
    observation_space = Box(-np.inf, np.inf, (3,))
    action_space = Box(np.array(LOW, np.float32), np.array(HIGH, np.float32))


def run_of(agent: str, folder: Path, **options: Any) -> Any:
    """The folder of a run as far as a policy needs it, and the agent."""
    run_folder = RunFolder(folder)
    run_folder.create(tiny_settings(algorithm="bc", agent=agent, seed=4))
    made = agent_class(agent)("MlpPolicy", Spaces(), policy_kwargs={"net_arch": [8]}, device="cpu", **options)
    save_policy(made, run_folder.policies / "last_policy.zip")
    return made


@pytest.mark.parametrize(
    ("name", "options"),
    [("sac", {"buffer_size": 2}), ("fastsac", {"buffer_size": 2, "actor_ema_decay": 0.5}), ("trpo", {})],
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


def test_runs_without_such_a_policy_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not the folder of a run"):
        export_policy(tmp_path, tmp_path / "policy.onnx")
    run_folder = RunFolder(tmp_path / "run")
    run_folder.create(tiny_settings(algorithm="bc"))
    with pytest.raises(SettingsError, match="no policy yet"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    run_folder.policies.mkdir()
    (run_folder.policies / "last_policy.pt").touch()
    with pytest.raises(SettingsError, match="libtorch"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    (run_folder.policies / "last_policy.zip").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"last_policy\.zip cannot be read"):
        export_policy(run_folder.path, tmp_path / "policy.onnx")
    assert not (tmp_path / "policy.onnx").exists()

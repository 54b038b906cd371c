"""Folders of complete runs whose policies were never trained."""

from pathlib import Path
from typing import Any

from stable_baselines3 import SAC

from offline_envs.compare import CompareSettings
from offline_envs.data import load_transitions
from offline_envs.files import copy_folder
from offline_envs.runs import RunFolder
from offline_envs.sb3 import LAST_POLICY, save_policy
from tests.runs.tiny import DEMO, some_result, tiny_settings

SMALL = CompareSettings(
    episodes=2,
    horizon=5,
    behaviour={"hidden": [4], "max_epochs": 1, "batch_size": 4096},
    fitted_q={"hidden": [4], "gradient_steps": 3},
    bootstrap={"n_resamples": 2},
)


def fake_run(
    folder: Path, seed: int, *, model: Path | None, real_return: float | None, **changes: Any
) -> Path:
    """Make the folder of a run.

    Args:
        folder: The folder.
        seed: Seed of the policy's weights.
        model: Folder of the model that it has; None for none.
        real_return: Its result; None leaves the run incomplete.
        **changes: Other settings of the run.
    """
    run = RunFolder(folder)
    run.create(tiny_settings(seed=seed, **changes))
    env = load_transitions(DEMO).make_env()
    agent = SAC("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=1, device="cpu", seed=seed)
    save_policy(agent, run.policies / LAST_POLICY)
    env.close()
    if model is not None:
        copy_folder(model, run.model)
    if real_return is not None:
        run.write_result(some_result(seed=seed, real_return=real_return))
    return folder

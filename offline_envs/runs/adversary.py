"""The adversary of a RAMBO run: made from the run's settings, kept with its checkpoints."""

from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.adversary import Adversary, AdversarySettings
from offline_envs.dynamics import FitSettings, read_model_card
from offline_envs.envs import LearnedVectorEnv
from offline_envs.methods import Adversarial
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.settings import TrainSettings
from offline_envs.sb3 import AdversarialCallback

STATE_FILE = "adversary.safetensors"


def adversary_callback(
    settings: TrainSettings, run: RunFolder, learned: LearnedVectorEnv, agent: BaseAlgorithm
) -> AdversarialCallback | None:
    """Make the adversary, as the checkpoint left it if there is one; None where the model stays as it is.

    Args:
        settings: The run.
        run: Its folder, with the model.
        learned: The environment that the agent trains in.
        agent: The agent.
    """
    if not isinstance(learned.method, Adversarial):
        return None
    own = {"seed": settings.seed, "horizon": settings.horizon}
    options: dict[str, Any] = {**own, **settings.adversary, "gamma": agent.gamma}  # type: ignore[attr-defined]
    adversary_settings = AdversarySettings.from_json(options)
    fitted = read_model_card(run.model)["fit_settings"]
    fit_settings = None if fitted is None else FitSettings.from_json(fitted)
    callback = AdversarialCallback(
        adversary_settings, every=settings.adversary_every, fit_settings=fit_settings
    )
    callback.adversary = Adversary(
        learned.mdp, learned.transitions, settings=adversary_settings, fit_settings=fit_settings
    )
    if (run.checkpoint / STATE_FILE).exists():
        callback.adversary.load(run.checkpoint / STATE_FILE)
    return callback


def finish_update(callback: AdversarialCallback | None, agent: BaseAlgorithm) -> None:
    """Take the steps that an interrupt left out of an update, where no more training would."""
    if callback is not None:
        callback.init_callback(agent)
        callback.on_training_start({}, {})
        callback.on_training_end()


def save_adversary(callback: AdversarialCallback | None, folder: Path) -> None:
    """Write the adversary, if there is one, into the folder of a checkpoint."""
    if callback is not None:
        callback.save(folder / STATE_FILE)

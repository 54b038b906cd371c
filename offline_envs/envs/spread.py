"""The `spread` setting: a factor on the noise of a model's steps, given or fitted to the rows held out."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    DynamicsFunction,
    DynamicsModel,
    FitSettings,
    Holdout,
    ModelShape,
    Prediction,
    fitted_spread,
    read_model_card,
    split_index,
)
from offline_envs.errors import SettingsError, unknown_name

CALIBRATED = "calibrated"
"""The setting that fits the factor."""

GIVE_NUMBER = "Give the factor itself, e.g. spread=0.7, or a model that was fitted here to these data."


def check_spread(spread: float | str) -> None:
    """Refuse a setting that is neither `CALIBRATED` nor a factor.

    Raises:
        SettingsError: Another text, or a number that is not positive and finite.
    """
    if isinstance(spread, str):
        if spread != CALIBRATED:
            raise unknown_name("spread", spread, (CALIBRATED, "a positive number"))
    elif not (math.isfinite(spread) and spread > 0):
        raise SettingsError(f"spread must be positive and finite, got {spread}. 1 is the model's own.")


def check_variance(spread: float | str, shape: ModelShape) -> None:
    """Refuse to calibrate members without a variance, also before they are fitted.

    Raises:
        SettingsError: They have none.
    """
    if spread == CALIBRATED and not shape.probabilistic:
        raise SettingsError(
            "spread='calibrated' needs members that predict a variance, but probabilistic=False. Give the "
            "factor itself, e.g. spread=0.7."
        )


def spread_factor(
    spread: float | str,
    model: DynamicsModel,
    transitions: Transitions,
    *,
    source: DynamicsModel | DynamicsFunction | Path | str | None,
    fit_settings: FitSettings,
    known: Sequence[int] = (),
) -> float:
    """The factor that a setting means for a model.

    Args:
        spread: A factor, or `CALIBRATED` for the one fitted to the rows that the model's fit held out.
        model: The fitted model.
        transitions: Its data.
        source: Where it comes from: a folder, the model itself, or None for a fit to these data.
        fit_settings: Settings of that fit.
        known: Numbers of the outputs of (reward, next_obs − obs) that are known. Steps replace the model's
            predictions of them, so that their errors say nothing about what is sampled.

    Raises:
        SettingsError: The factor is to be fitted, but which rows were held out is unknown.
    """
    if not isinstance(spread, str):
        return spread
    check_variance(spread, model)
    rows = (
        split_index(len(transitions), fit_settings)[1] if source is None else _held_out(transitions, source)
    )
    obs, actions, rewards, next_obs = (
        tensor[rows].to(model.device)
        for tensor in (transitions.obs, transitions.actions, transitions.rewards, transitions.next_obs)
    )
    true = torch.cat([rewards[:, None], next_obs - obs], dim=1)
    n_learned = 1 + transitions.newest.obs_dim  # how a history moves is known
    learned = [output for output in range(n_learned) if output not in known]
    mean, std = model.predict(obs, actions, model.elites)
    return fitted_spread(Prediction(mean[..., learned], std[..., learned]), true[:, learned])


def _held_out(transitions: Transitions, source: DynamicsModel | DynamicsFunction | Path | str) -> Tensor:
    """Rows that the fit of a given model held out, according to its card."""
    card = read_model_card(Path(source).expanduser()) if isinstance(source, str | Path) else None
    holdout = Holdout.of(transitions, card, seed=0)
    if holdout.reason is not None:
        raise SettingsError(
            f"spread='calibrated' needs rows that the model was not fitted to, but {holdout.reason}. "
            f"{GIVE_NUMBER}"
        )
    return holdout.rows

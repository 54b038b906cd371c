"""From the settings of an environment to the parts that it is made of."""

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor

from offline_envs.data import DatasetSource, Transitions
from offline_envs.dynamics import (
    EnsembleDynamics,
    EnsembleSettings,
    FitSettings,
    fitted_ensemble,
    load_model,
    read_model_card,
)
from offline_envs.dynamics.ensemble.precision import predictor
from offline_envs.dynamics.uncertainty.disagreement import MEMBER_CHOICES, check_comparable
from offline_envs.dynamics.uncertainty.measures import measure
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.mdp import LearnedMDP
from offline_envs.mdp.member_selection import EvaluatedMembers
from offline_envs.mdp.pessimism import Halt, Penalize
from offline_envs.mdp.samplers import MEMBER_MODES
from offline_envs.mdp.starts import StartStates
from offline_envs.mdp.termination import resolve_termination
from offline_envs.methods.halt import HaltSettings
from offline_envs.tasks import Task, TerminationRule, task_transitions


class ModelOptions(TypedDict, total=False):
    """Settings that every learned environment takes besides its dataset, all optional.

    Attributes:
        model: Folder of a fitted ensemble, or the ensemble itself; without it the ensemble is fitted once
            and kept in the user's cache.
        env_id: Environment that the data come from, if the dataset does not say.
        task: Task whose reward the data get instead of their own: a name with settings, e.g.
            `"ant-angle:degrees=45"`, or a `Task`.
        termination: `"auto"` (exact rule of the known environments), `"never"`, `"learned"`, or a function
            of (obs, action, next_obs) tensors that returns a bool tensor `(B,)`.
        start: `"dataset"` (any state in the data) or `"initial"` (first states of episodes).
        member: Whether a row draws the elite that it follows at every `"step"` or once an `"episode"`.
        device: Where the model is computed, e.g. `"cpu"` or `"cuda"`.
        precision: How precisely its matrix products are: `"float32"`, `"tf32"` or `"bfloat16"`, see
            `offline_envs.dynamics.ensemble.precision`. Fits and thresholds stay in float32.
        ensemble: Settings of the ensemble by name, see `EnsembleSettings`.
        fit: Settings of the fit by name, see `FitSettings`.
        cache_dir: Folder of fitted models instead of the user's cache.
        progress: Whether a fit shows its progress.
    """

    model: str | Path | EnsembleDynamics | None
    env_id: str | None
    task: str | Task | None
    termination: str | TerminationRule
    start: str
    member: str
    device: str
    precision: str
    ensemble: Mapping[str, Any] | None
    fit: Mapping[str, Any] | None
    cache_dir: str | None
    progress: bool


class PenaltyOptions(TypedDict, total=False):
    """Settings of the penalised environment, all optional.

    Attributes:
        penalty_coef: λ, how much reward a unit of uncertainty costs.
        penalty: Name of the measure, see `offline_envs.dynamics.MEASURES`.
        penalty_members: Whose predictions are measured: `"all"` (MOPO's release) or `"elites"`.
    """

    penalty_coef: float
    penalty: str
    penalty_members: str


class Parts(NamedTuple):
    """What a learned environment is made of."""

    mdp: LearnedMDP
    starts: StartStates
    transitions: Transitions
    ensemble: EnsembleDynamics
    member: str = "step"
    halt: Halt | None = None


def assemble(
    dataset: DatasetSource,
    *,
    penalty: PenaltyOptions | None = None,
    halt: HaltSettings | None = None,
    model: str | Path | EnsembleDynamics | None = None,
    env_id: str | None = None,
    task: str | Task | None = None,
    termination: str | TerminationRule = "auto",
    start: str = "dataset",
    member: str = "step",
    device: str = "cpu",
    precision: str = "float32",
    ensemble: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    cache_dir: str | None = None,
    progress: bool = True,
) -> Parts:
    """Load the data, load or fit the ensemble, and join them to a learned MDP.

    Everything that can be refused is refused before a fit begins. See `ModelOptions` for the settings; an
    environment has a `penalty`, a `halt` or neither.

    Raises:
        DatasetError: The dataset cannot be used, or not for the task.
        SettingsError: A setting is unknown, out of range, or contradicts another.
        CheckpointError: `model` is not a readable model.
    """
    check_device(device)
    if member not in MEMBER_MODES:
        raise unknown_name("member", member, MEMBER_MODES)
    predict = predictor(precision, torch.device(device))
    settings, fit_settings = EnsembleSettings.from_json(ensemble or {}), FitSettings.from_json(fit or {})
    if model is not None and (ensemble or fit):
        raise SettingsError("model= is already fitted, so ensemble= and fit= cannot be given with it.")
    penalize = None if penalty is None else penalizer(**penalty)
    if model is None:
        check_pessimism(settings, penalty, halt)
    transitions = task_transitions(dataset, task, env_id=env_id)
    starts = StartStates.from_transitions(transitions, start, device=device)
    rule = resolve_termination(termination, transitions, device=device, cache_dir=cache_dir)
    cache: dict[str, Any] = {"cache_dir": cache_dir, "progress": progress}
    if model is None:
        fitted = fitted_ensemble(transitions, settings, fit_settings=fit_settings, device=device, **cache)
    else:
        fitted = resolve_model(model, transitions.obs_dim, transitions.action_dim, device=device)
        if task is not None:
            warn_of_other_data(model, transitions)
    check_pessimism(fitted.settings, penalty, halt)
    evaluated = EvaluatedMembers.of(fitted, _measured_members(penalty, halt), predict)
    halts = None if halt is None else halt.halt(fitted, transitions, **cache)
    guard = Guard.from_transitions(transitions, device=device)
    mdp = LearnedMDP(evaluated, rule, guard, penalize if halts is None else halts)
    return Parts(mdp, starts, transitions, fitted, member, halts)


def _measured_members(penalty: PenaltyOptions | None, halt: HaltSettings | None) -> str:
    """Whose predictions a step needs: those that pessimism asks for, or else the elites'."""
    if penalty is not None:
        return penalty.get("penalty_members", "all")
    return "elites" if halt is None else halt.halt_members


def penalizer(
    *, penalty_coef: float = 1.0, penalty: str = "max_std", penalty_members: str = "all"
) -> Penalize:
    """Build MOPO's penalty from its settings.

    Raises:
        SettingsError: A coefficient that is negative or not finite, or an unknown name.
    """
    if not 0 <= penalty_coef < math.inf:
        raise SettingsError(f"penalty_coef must be finite and 0 or more, got {penalty_coef}.")
    if penalty_members not in MEMBER_CHOICES:
        raise unknown_name("penalty_members", penalty_members, MEMBER_CHOICES)
    return Penalize(float(penalty_coef), measure(penalty))


def check_pessimism(
    settings: EnsembleSettings, penalty: PenaltyOptions | None, halt: HaltSettings | None
) -> None:
    """Refuse a penalty or a halt that an ensemble of such settings cannot have.

    Raises:
        SettingsError: See `check_measurable` and `check_comparable`.
    """
    if penalty is not None:
        members = penalty.get("penalty_members", "all")
        check_measurable(settings, penalty.get("penalty", "max_std"), members)
    if halt is not None:
        check_comparable(settings, halt.halt_members)


def check_measurable(settings: EnsembleSettings, penalty: str, penalty_members: str) -> None:
    """Refuse a measure that is zero everywhere for the members at hand.

    Args:
        settings: Shape of the ensemble, fitted or not.
        penalty: Name of the measure.
        penalty_members: Whose predictions are measured, `"all"` or `"elites"`.

    Raises:
        SettingsError: `max_std` of deterministic members, or a disagreement of a single member.
    """
    if penalty == "max_std" and not settings.probabilistic:
        raise SettingsError(
            "penalty='max_std' needs members that predict a variance, but probabilistic=False. "
            "Use penalty='max_deviation', 'max_disagreement' or 'ensemble_std'."
        )
    if penalty != "max_std" and settings.n_compared(penalty_members) == 1:
        raise SettingsError(
            f"penalty={penalty!r} compares members, but a single one is measured. Use penalty='max_std', "
            "or more members (ensemble={'n_members': ...} and penalty_members=)."
        )


def resolve_model(
    model: str | Path | EnsembleDynamics, obs_dim: int, action_dim: int, *, device: str
) -> EnsembleDynamics:
    """Load a model and check that it fits the observations and actions at hand.

    Raises:
        CheckpointError: The folder holds no readable model.
        SettingsError: The model was fitted to other dimensions.
    """
    ensemble = model if isinstance(model, EnsembleDynamics) else load_model(Path(model), device=device)
    if (ensemble.obs_dim, ensemble.action_dim) != (obs_dim, action_dim):
        raise SettingsError(
            f"The model has {ensemble.obs_dim} observation and {ensemble.action_dim} action dimensions, "
            f"but {obs_dim} and {action_dim} are needed."
        )
    if ensemble.elites.device == torch.empty(0, device=device).device:
        return ensemble
    return ensemble.copy().to(device)  # `to` alone would move it under the feet of whoever shares it


def warn_of_other_data(model: str | Path | EnsembleDynamics, transitions: Transitions) -> None:
    """Warn where a saved model was fitted to other data than these: with a task, most likely other rewards.

    Warns:
        UserWarning: The card of the model names other data.
    """
    if isinstance(model, EnsembleDynamics):
        return
    fitted_to = read_model_card(model).get("dataset") or {}
    if fitted_to.get("fingerprint") != transitions.fingerprint:
        warnings.warn(
            f"The model {model} was fitted to {fitted_to.get('source', 'unknown data')}, not to "
            f"{transitions.source}: it predicts the reward that it was fitted to. Fit one with task=.",
            stacklevel=2,
        )


def check_device(device: str) -> None:
    """Refuse a device that does not exist here.

    Raises:
        SettingsError: The name is unknown to torch, or the device is not available.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SettingsError(
            f"device={device!r} cannot be used: {reason}. device='cpu' always can."
        ) from error


def seeded_generator(seed: int, like: Tensor) -> torch.Generator:
    """A random generator on the device of `like`, started from `seed`."""
    return torch.Generator(device=like.device).manual_seed(seed)

"""`assemble`: makes the parts of a learned environment from its settings."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch

from offline_envs.data import DatasetSource, HistoryLayout, Transitions
from offline_envs.dynamics import (
    DynamicsFunction,
    DynamicsModel,
    EnsembleSettings,
    FitSettings,
    FunctionModel,
    HistoryModel,
    MaskedModel,
    fitted_ensemble,
    fused_or_plain,
    is_dynamics_model,
    load_model,
    predictor,
    read_model_card,
)
from offline_envs.envs.bare_ensemble import check_all_learned, check_ensemble
from offline_envs.envs.options import ModelOptions
from offline_envs.envs.spread import check_spread, check_variance, spread_factor
from offline_envs.errors import SettingsError
from offline_envs.mdp import (
    Guard,
    Known,
    LearnedMDP,
    Members,
    StartStates,
    find_sampler,
    resolve_known,
    resolve_termination,
    with_reward,
    with_spread,
)
from offline_envs.methods import Method, Plain
from offline_envs.tasks import task_transitions


class Assembly(NamedTuple):
    """The parts of a learned environment."""

    mdp: LearnedMDP
    starts: StartStates
    transitions: Transitions
    method: Method

    @property
    def model(self) -> DynamicsModel:
        """The model, all of its members."""
        return self.mdp.members.model


def assemble(
    dataset: DatasetSource, method: Method | None = None, options: ModelOptions | None = None
) -> Assembly:
    """Load the data, load or fit the model, and combine them into a learned MDP.

    All errors that can be found without a model are raised before a fit begins.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        method: The method that turns the model into an MDP; None means the plain model.
        options: The other settings; None means their defaults.

    Raises:
        DatasetError: The dataset cannot be used, or not for the task.
        SettingsError: A setting is unknown, out of range, or contradicts another.
        CheckpointError: `options.model` is not a readable model.
    """
    method, options = method or Plain(), options or ModelOptions()
    check_device(options.device)
    sampler = find_sampler(options.member)
    check_spread(options.spread)
    _check_member(method, options)
    _check_known(method, options)
    predict = predictor(options.precision, torch.device(options.device))
    settings, fit_settings = _fit_settings(options)
    if options.model is None:
        method.check(settings)
        check_variance(options.spread, settings)
    transitions = transitions_of(dataset, options)
    check_all_learned(method, options, transitions)
    known = resolve_known(options.known, options.reward, transitions, device=options.device)
    scored = with_reward(transitions, options.reward, device=options.device)
    method.check_data(scored)
    starts = _starts(transitions, known, options)
    in_cache: _InCache = {"cache_dir": options.cache_dir, "progress": options.progress}
    rule = resolve_termination(options.termination, transitions, device=options.device, **in_cache)
    model = _model(transitions, settings, fit_settings, options)
    method.check(model)
    check_ensemble(method, options, model)
    outputs = () if known is None else known.outputs
    factor = spread_factor(
        options.spread, model, transitions, source=options.model, fit_settings=fit_settings, known=outputs
    )
    guard = Guard.from_transitions(scored, device=options.device)
    if guard.box is not None:  # recorded rows may lie beyond it by rounding
        starts = replace(starts, obs=starts.obs.clamp(*guard.box))
    if known is not None:
        model, guard = MaskedModel(model, outputs), guard.trusting(outputs)
    own = method.own_model(model)
    own_sampler = method.sampler(own, scored, **in_cache)
    transform = method.transform(own, scored, **in_cache)
    if options.fused:
        predict = fused_or_plain(own, options.precision)
    members = Members.of(own, method.members, predict)
    spread = with_spread(own_sampler or sampler, factor, members)
    return Assembly(LearnedMDP(members, rule, guard, transform, spread, known), starts, scored, method)


def transitions_of(dataset: DatasetSource, options: ModelOptions) -> Transitions:
    """The dataset of an environment, with the reward, the columns and the history of its options."""
    return task_transitions(
        dataset, options.task, columns=options.columns, env_id=options.env_id, history=options.history
    )


class _InCache(TypedDict):
    """Where a method finds what is computed once, and whether it may say so."""

    cache_dir: str | Path | None
    progress: bool


def _check_member(method: Method, options: ModelOptions) -> None:
    if method.samples and options.member != ModelOptions.member:
        raise SettingsError(
            f"member={options.member!r} has no effect with {type(method).__name__}, which chooses among "
            "samples of all elites itself. Leave member= out."
        )


def _check_known(method: Method, options: ModelOptions) -> None:
    if method.compares_samples and options.knows_columns:
        raise SettingsError(
            f"{type(method).__name__} compares samples of the model with recorded steps, and known columns "
            f"are filled in only after that, got known={options.known!r}. Leave known= out; reward= may stay."
        )


def _starts(transitions: Transitions, known: Known | None, options: ModelOptions) -> StartStates:
    replays = known is not None and known.replay is not None
    return StartStates.from_transitions(transitions, options.start, device=options.device, with_rows=replays)


def _fit_settings(options: ModelOptions) -> tuple[EnsembleSettings, FitSettings]:
    if options.model is not None and (options.ensemble or options.fit):
        raise SettingsError("model= is already fitted, so ensemble= and fit= cannot be given with it.")
    return EnsembleSettings.from_json(options.ensemble or {}), FitSettings.from_json(options.fit or {})


def _model(
    transitions: Transitions, settings: EnsembleSettings, fit_settings: FitSettings, options: ModelOptions
) -> DynamicsModel:
    model = options.model
    if model is None:
        model = fitted_ensemble(
            transitions,
            settings,
            fit_settings=fit_settings,
            device=options.device,
            cache_dir=options.cache_dir,
            progress=options.progress,
        )
    dimensions = (transitions.obs_dim, transitions.action_dim)
    found = resolve_model(model, *dimensions, device=options.device, history=transitions.history)
    warn_of_other_data(model, transitions)
    return found


def resolve_model(
    model: str | Path | DynamicsModel | DynamicsFunction,
    obs_dim: int,
    action_dim: int,
    *,
    device: str,
    history: int = 1,
) -> DynamicsModel:
    """Load a model, or take a function as one, and check its observation and action dimensions.

    Args:
        model: Folder of a model, the model, or a function.
        obs_dim: Observation dimensions that are needed, those of a history included.
        action_dim: Action dimensions that are needed.
        device: Device of the model.
        history: Number of recorded observations in one. A model that was fitted to data with this history is
            taken as a `HistoryModel`; one of whole observations stays as it is.

    Raises:
        CheckpointError: The folder holds no readable model.
        SettingsError: The model was fitted to other dimensions, or the function does not fit.
    """
    if isinstance(model, str | Path):
        loaded: DynamicsModel = load_model(Path(model), device=device)
    elif is_dynamics_model(model):
        loaded = model
    else:
        loaded = FunctionModel(model, obs_dim, action_dim, device=device)
    layout = HistoryLayout.of_stacked(history, obs_dim, action_dim)
    if history > 1 and HistoryModel.fits(loaded, layout):
        loaded = HistoryModel(loaded, layout)
    if (loaded.obs_dim, loaded.action_dim) != (obs_dim, action_dim):
        raise SettingsError(
            f"The model has {loaded.obs_dim} observation and {loaded.action_dim} action dimensions, "
            f"but {obs_dim} and {action_dim} are needed, with a history of {history}. A model needs the "
            "history= of its fit."
        )
    if loaded.device == torch.empty(0, device=device).device:
        return loaded
    return loaded.copy().to(device)  # others may share it on its device


def warn_of_other_data(
    model: str | Path | DynamicsModel | DynamicsFunction, transitions: Transitions
) -> None:
    """Warn if a saved model was fitted to other data: with a task, most likely to other rewards.

    Args:
        model: The model; one that was never saved, or saved without its data, says nothing.
        transitions: The data that it is used with.

    Warns:
        UserWarning: The card of the model names other data.
    """
    fitted_to = read_model_card(model).get("dataset") if isinstance(model, str | Path) else None
    if fitted_to and fitted_to["fingerprint"] != transitions.fingerprint:
        same_name = " (other data of the same name)" if fitted_to["source"] == transitions.source else ""
        warnings.warn(
            f"The model {model} was fitted to {fitted_to['source']}, not to {transitions.source}{same_name}: "
            "it predicts the steps and the reward that it was fitted to. Fit one to these data (leave out "
            "model=), or use the dataset and the task of its fit.",
            stacklevel=2,
        )


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

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

"""What is measured at each size of each axis of `growth.py`, all of it on noise of HalfCheetah's widths.

An axis is a function from a size to operations, made one after the other so that they need not fit into
memory together.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from fit_throughput import random_transitions
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions, load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.dynamics.fitting.bootstrap import Bootstrap
from offline_envs.dynamics.fitting.fit_state import FitState
from offline_envs.dynamics.fitting.gradient_step import GradientStep
from offline_envs.dynamics.fitting.progress import FitProgress
from offline_envs.dynamics.fitting.rows import Rows, holdout_size, split_rows
from offline_envs.dynamics.fitting.training import _train_epoch
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv

OBS_DIM, ACTION_DIM = 17, 6  # HalfCheetah and Walker2d
BATCH, HORIZON = 1000, 5
FIT_ROWS = 2000
FIT_STEPS = 20
"""Gradient steps that stand for an epoch."""


class Operation(NamedTuple):
    """Something whose cost is measured.

    Attributes:
        name: What it does.
        call: Does it.
        per: Factor from the seconds of a call to those reported.
    """

    name: str
    call: Callable[[], object]
    per: float = 1.0


class Cost(NamedTuple):
    """The cost of an operation at one size."""

    operation: str
    size: int
    seconds: float
    extra_peak: float | None  # MiB


def batch(size: int, device: str) -> Iterator[Operation]:
    """Rows of one step of the penalised MDP."""
    envs, obs, action = world(1, device=device)
    obs, action = obs.repeat(size, 1), action.repeat(size, 1)
    generator = torch.Generator(device).manual_seed(0)
    yield Operation("step of the MDP", lambda: envs.unwrapped.mdp.step(obs, action, generator))


def environments(size: int, device: str) -> Iterator[Operation]:
    """Episodes of one vector environment, and of Stable-Baselines3's view of it, which also ends them all."""
    data, model = noise(BATCH), ensemble(OBS_DIM)
    yield Operation("make_vec", lambda: vector_env(data, model, size, device))
    envs = SB3VecEnv(vector_env(data, model, size, device))
    envs.reset()
    actions = np.zeros((size, ACTION_DIM), np.float32)
    yield Operation("step of SB3VecEnv", lambda: [envs.step(actions) for _ in range(HORIZON)], 1 / HORIZON)


def members(size: int, device: str) -> Iterator[Operation]:
    """Members of the ensemble: all of them penalised, or each the only one of its rows; and their fit."""
    settings = EnsembleSettings(n_members=size, n_elites=size)
    for kind in ("PenalizedModel-v0", "LearnedModel-v0"):
        envs, obs, action = world(BATCH, settings=settings, device=device, env_id=kind)
        generator = torch.Generator(device).manual_seed(0)
        step = partial(envs.unwrapped.mdp.step, obs, action, generator)
        yield Operation(f"step of {kind}, {BATCH} rows", step)
    yield gradient_step(OBS_DIM, settings, device)
    yield scored_epoch(settings, device)


def obs_dims(size: int, device: str) -> Iterator[Operation]:
    """Dimensions of the observation."""
    envs, obs, action = world(BATCH, obs_dim=size, device=device)
    generator = torch.Generator(device).manual_seed(0)
    yield Operation(f"step, {BATCH} rows", lambda: envs.unwrapped.mdp.step(obs, action, generator))
    yield gradient_step(size, None, device)


def dataset_rows(size: int, device: str) -> Iterator[Operation]:
    """Rows of the dataset: everything that touches all of them, and draws that should not."""
    data, model = noise(size), ensemble(OBS_DIM)
    yield load_arrays(data)
    yield Operation("fingerprint", lambda: replace(data).fingerprint)  # a copy has not computed it yet
    yield Operation("make_vec", lambda: vector_env(data, model, 500, device))
    yield Operation("reset 500 episodes", vector_env(data, model, 500, device).reset)
    yield Operation("fill the buffer", lambda: mixed_buffer(data, device))
    yield Operation("sample 256 rows", partial(mixed_buffer(data, device).sample, 256))
    yield from fit_of_rows(data, device)


def load_arrays(data: Transitions) -> Operation:
    """Check the same rows as named arrays, and copy them."""
    names = {"obs": "observations", "next_obs": "next_observations", "actions": "actions"}
    names |= {"rewards": "rewards", "terminated": "terminals"}
    arrays = {name: getattr(data, field).numpy() for field, name in names.items()}
    arrays["timeouts"] = np.ones(len(data), np.bool_)  # noise: no row follows another
    return Operation("load arrays", lambda: load_transitions(arrays))


def fit_of_rows(data: Transitions, device: str) -> Iterator[Operation]:
    """What a fit does once, once an epoch, and at every gradient step of an epoch."""
    settings = FitSettings()
    yield Operation("fit: set-up", lambda: fit_parts(data, settings, device))
    rows, drawn = fit_parts(data, settings, device)
    yield Operation("fit: order of an epoch", lambda: drawn.order(1))
    state = FitState(ensemble(OBS_DIM).requires_grad_(True).to(device), settings)
    order = drawn.order(0)
    index = order[:, : FIT_STEPS * settings.batch_size].contiguous()
    display = FitProgress(len(index), FIT_STEPS, max_epochs=None, done=0, shown=False)
    take_step = GradientStep(state, rows)
    n_steps, taken = (math.ceil(part.shape[1] / settings.batch_size) for part in (order, index))
    yield Operation(
        "fit: gradient steps of an epoch",
        lambda: _train_epoch(state, take_step, index, display),
        n_steps / taken,
    )


AXES: Mapping[str, tuple[Callable[[int, str], Iterator[Operation]], tuple[int, ...]]] = MappingProxyType(
    {
        "batch": (batch, (1, 10, 100, 1000, 10_000, 100_000)),
        "envs": (environments, (1, 10, 100, 1000, 10_000, 100_000)),
        "members": (members, (1, 3, 10, 30, 100)),
        "rows": (dataset_rows, (10_000, 100_000, 1_000_000, 10_000_000)),
        "dims": (obs_dims, (3, 10, 30, 100, 400)),
    }
)
"""Axis → what is measured at a size, and the sizes."""


def noise(rows: int, obs_dim: int = OBS_DIM) -> Transitions:
    """Transitions of noise whose rows are of no environment."""
    return random_transitions(rows, obs_dim, ACTION_DIM)


def ensemble(obs_dim: int, settings: EnsembleSettings | None = None) -> EnsembleDynamics:
    """An unfitted model."""
    return EnsembleDynamics(obs_dim, ACTION_DIM, settings=settings).requires_grad_(False)


def vector_env(
    data: Transitions,
    model: EnsembleDynamics,
    n_envs: int,
    device: str,
    env_id: str = "PenalizedModel-v0",
    **options: Any,
) -> Any:
    """Make and reset an environment, the penalised one if nothing else is said, of a model not fitted."""
    envs = gym.make_vec(
        env_id,
        num_envs=n_envs,
        dataset=data,
        model=model,
        termination="never",
        max_episode_steps=HORIZON,
        device=device,
        **{"autoreset_mode": "SameStep", **options},
    )
    envs.reset(seed=0)
    return envs


def world(
    n_envs: int,
    *,
    obs_dim: int = OBS_DIM,
    settings: EnsembleSettings | None = None,
    device: str,
    env_id: str = "PenalizedModel-v0",
) -> tuple[Any, Tensor, Tensor]:
    """Make a reset vector environment, observations and actions."""
    model = ensemble(obs_dim, settings)
    envs = vector_env(noise(BATCH, obs_dim), model, n_envs, device, env_id, output="torch")
    obs, _ = envs.reset()
    return envs, obs, torch.zeros(n_envs, ACTION_DIM, device=device)


def gradient_step(obs_dim: int, settings: EnsembleSettings | None, device: str) -> Operation:
    """One epoch of a fit to few rows, as seconds a gradient step."""
    data, chosen = noise(FIT_ROWS, obs_dim), FitSettings(max_epochs=1)
    n_steps = math.ceil((FIT_ROWS - holdout_size(FIT_ROWS, chosen)) / chosen.batch_size)
    call = partial(fit, data, settings, fit_settings=chosen, device=device, progress=False)
    return Operation("gradient step of the fit", call, 1 / n_steps)


def scored_epoch(settings: EnsembleSettings, device: str) -> Operation:
    """A fit of one epoch, whose members are scored on as many rows as by default."""
    data, chosen = noise(5 * FitSettings().holdout), FitSettings(max_epochs=1)
    call = partial(fit, data, settings, fit_settings=chosen, device=device, progress=False)
    return Operation("fit of an epoch, scored", call)


def mixed_buffer(data: Transitions, device: str) -> MixedReplayBuffer:
    """A buffer that holds the dataset and hardly more."""
    spaces = gym.spaces.Box(-np.inf, np.inf, (OBS_DIM,), np.float32), data.action_space
    buffer = MixedReplayBuffer(1, *spaces, device=device, dataset=data)
    assert buffer.real_size == len(data)
    return buffer


def fit_parts(data: Transitions, settings: FitSettings, device: str) -> tuple[Rows, Bootstrap]:
    """The set-up of a fit before its first epoch."""
    model = ensemble(OBS_DIM)
    rows = split_rows(data, model.normalizer, fit_settings=settings, device=torch.device(device))
    return rows, Bootstrap(model.n_members, len(rows.train), seed=settings.seed, device=device)

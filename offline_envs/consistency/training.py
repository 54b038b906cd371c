"""`fit_dynamics_reward`: train a discriminator against a model, and keep snapshots along the way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from offline_envs.consistency.dynamics_reward import DynamicsReward
from offline_envs.consistency.losses import binary_cross_entropy
from offline_envs.consistency.network import Discriminators, differentiable, network, new_layers
from offline_envs.consistency.progress import TrainingProgress
from offline_envs.consistency.samples import Steps
from offline_envs.consistency.settings import DiscriminatorSettings
from offline_envs.consistency.state import read_state, write_state
from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel, Normalizer, generator_for, model_identity
from offline_envs.errors import DatasetError, OfflineEnvsError

TRAINING_VERSION = 1
"""Incremented whenever equal settings give another dynamics reward than before."""

_STREAM = 20
_SPLIT, _WEIGHTS, _CALIBRATION, _BATCHES = range(4)


def fit_dynamics_reward(
    model: DynamicsModel,
    transitions: Transitions,
    settings: DiscriminatorSettings | None = None,
    *,
    progress: bool = True,
    folder: Path | None = None,
) -> DynamicsReward:
    """Train discriminators of recorded steps and the model's, and calibrate them.

    Luo et al. 2024 (MOREC), section 4, learn the dynamics reward together with a generator of steps, which
    their release leaves out. Here the fitted model is the generator and stays as it is: each batch has rows
    of the dataset and fresh samples of the model from the same observations and actions.

    Args:
        model: The fitted model.
        transitions: The dataset.
        settings: Settings of the discriminators; None means the defaults.
        progress: Whether to show progress on standard error.
        folder: Folder that keeps an interrupted training; the same call resumes it. None keeps nothing.

    Returns:
        The dynamics reward, on the model's device.

    Raises:
        DatasetError: A dataset of a single row.
        CheckpointError: `folder` holds a damaged training, or one of other data, model or settings.
        OfflineEnvsError: The loss is not finite.
    """
    settings = settings or DiscriminatorSettings()
    training = Training(model, transitions, settings)
    identity = reward_identity(model, transitions, settings) if folder is not None else {}
    if folder is not None and (saved := read_state(folder, identity)) is not None:
        training.load_state_dict(saved)
    with TrainingProgress(settings.steps, len(transitions), shown=progress) as display:
        display.update(training.n_steps)
        while not training.is_over:
            training.advance(display)
            if folder is not None:
                write_state(folder, training.state_dict(), identity, n_snapshots=training.n_snapshots)
    return training.result()


def reward_identity(
    model: DynamicsModel, transitions: Transitions, settings: DiscriminatorSettings
) -> dict[str, Any]:
    """Return everything that a dynamics reward depends on, as JSON values."""
    return {
        **model_identity(model),
        "dataset": transitions.fingerprint,
        "settings": settings.to_json(),
        "version": TRAINING_VERSION,
    }


class Training:
    """The training of one network, of which snapshots are kept.

    The random numbers of the steps up to a snapshot come from a generator of their own, so that the state
    after a snapshot is weights, Adam's moments and earlier snapshots.

    Args:
        model: See `fit_dynamics_reward`, as for the others.
        transitions: The dataset.
        settings: Settings of the discriminators.
    """

    def __init__(
        self, model: DynamicsModel, transitions: Transitions, settings: DiscriminatorSettings
    ) -> None:
        self._model, self._settings, device = model, settings, model.device
        train, rest = split_rows(len(transitions), settings)
        self._steps = Steps.of(transitions, device)
        self._train, held_out = train.to(device), self._steps.rows(rest.to(device))
        self._held_out = (held_out, held_out.of_model(model, self._generator(_CALIBRATION)))
        normalizer = Normalizer(2 * transitions.obs_dim + transitions.action_dim)
        widths = (len(normalizer.mean), *settings.hidden, 1)
        layers = new_layers(widths, self._generator(_WEIGHTS))
        self._discriminator = Discriminators(layers, normalizer.mean, normalizer.std, settings.successor)
        on_cpu = (part.cpu() for part in self._steps.rows(self._train))  # where the normaliser is
        normalizer.fit(self._discriminator.inputs(*on_cpu))
        self._discriminator = self._discriminator.to(device)
        self._parameters = [part.requires_grad_() for layer in self._discriminator.layers for part in layer]
        self._optimizer = torch.optim.Adam(self._parameters, lr=settings.learning_rate)
        self._snapshots: list[list[Tensor]] = []

    @property
    def n_snapshots(self) -> int:
        """Number of snapshots so far."""
        return len(self._snapshots)

    @property
    def n_steps(self) -> int:
        """Number of gradient steps so far."""
        return self._settings.snapshot_steps()[self.n_snapshots - 1] if self._snapshots else 0

    @property
    def is_over(self) -> bool:
        """Whether all snapshots exist."""
        return self.n_snapshots == self._settings.n_snapshots

    def advance(self, display: TrainingProgress) -> None:
        """Train up to the next snapshot, and keep it."""
        generator = self._generator(_BATCHES, self.n_snapshots)
        first, last = self.n_steps, self._settings.snapshot_steps()[self.n_snapshots]
        loss = torch.zeros(())
        for step in range(first, last):
            loss = self._take_step(generator)
            display.update(step + 1)
        if not bool(loss.isfinite()):
            raise OfflineEnvsError(
                f"The loss of the discriminator is {loss.item()} after {last} steps. Try a learning_rate "
                f"below {self._settings.learning_rate:g}, and look at what the model predicts on its dataset."
            )
        self._snapshots.append([part.detach().clone() for part in self._parameters])

    def result(self) -> DynamicsReward:
        """The snapshots together, calibrated on the held-out rows."""
        stacked = [torch.cat(parts) for parts in zip(*self._snapshots, strict=True)]
        layers = list(zip(stacked[::2], stacked[1::2], strict=True))
        own = self._discriminator
        discriminators = Discriminators(layers, own.mean, own.std, own.successor)
        recorded, imagined = (discriminators.logits(*steps).mean(dim=1) for steps in self._held_out)
        return DynamicsReward(discriminators, of_model=imagined, of_data=recorded)

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor that the rest of the training depends on, by name."""
        state = {f"snapshot.{k}.{i}": p for k, kept in enumerate(self._snapshots) for i, p in enumerate(kept)}
        for i, parameter in enumerate(self._parameters):
            for name, value in self._optimizer.state[parameter].items():
                state[f"adam.{i}.{name}"] = value
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state_dict` gave."""
        kept = sum(name.startswith("snapshot.") for name in state) // len(self._parameters)
        indices = range(len(self._parameters))
        self._snapshots = [
            [state[f"snapshot.{k}.{i}"].to(self._model.device) for i in indices] for k in range(kept)
        ]
        moments = {
            i: {name: state[f"adam.{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
            for i in indices
        }
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        with torch.no_grad():
            for parameter, last in zip(self._parameters, self._snapshots[-1], strict=True):
                parameter.copy_(last)

    def _take_step(self, generator: torch.Generator) -> Tensor:
        """One gradient step; returns the loss, a scalar."""
        size = (self._settings.batch_size,)
        index = torch.randint(len(self._train), size, generator=generator).to(self._train.device)
        recorded = self._steps.rows(self._train[index])
        imagined = recorded.of_model(self._model, generator)
        own = self._discriminator
        inputs = torch.cat([own.inputs(*recorded), own.inputs(*imagined)])
        of_data, of_model = network(inputs, own.layers, differentiable).chunk(2, dim=1)
        loss = binary_cross_entropy(of_data, of_model)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach()

    def _generator(self, *purpose: int) -> torch.Generator:
        return generator_for(self._settings.seed, _STREAM, *purpose)


def split_rows(n: int, settings: DiscriminatorSettings) -> tuple[Tensor, Tensor]:
    """Split n rows into those of the training and those of the calibration, int64 both, in random order.

    Raises:
        DatasetError: A single row.
    """
    if n < 2:
        raise DatasetError(f"Discriminators need at least 2 transitions, one to calibrate them; got {n}.")
    n_held_out = max(1, min(settings.holdout, n // 5))
    order = torch.randperm(n, generator=generator_for(settings.seed, _STREAM, _SPLIT))
    return order[:-n_held_out], order[-n_held_out:]

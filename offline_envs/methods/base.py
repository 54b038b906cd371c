"""`Method`: a way to turn a dynamics model into an MDP, with its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel, ModelShape
from offline_envs.mdp import Sampler, Step, Transform
from offline_envs.settings import JsonSettings


class Monitor(Protocol):
    """Watches the episodes of `n` rows, e.g. to warn of a setting that ends nearly all of them.

    `count` and `reset` run on the device without reading a value on the host, so that they can be captured as
    part of a CUDA graph; `look` may.
    """

    def count(self, step: Step, ended: Tensor) -> None:
        """Count a step and the rows whose episode it ended, bool `(n,)`, in place."""

    def reset(self, mask: Tensor | None = None) -> None:
        """Begin an episode in the rows of `mask`, bool `(n,)`, or in all."""

    def look(self) -> None:
        """Check the counts on the host, and warn if they are suspicious."""

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of everything that it counts, by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state_dict` gave, in place."""


@dataclass(frozen=True)
class Method(JsonSettings):
    """The settings of a method and what it does; every hook has a default that changes nothing.

    A method is a frozen dataclass whose fields are the keywords that `gym.make` takes for its environment,
    each with its default. They are declared only here: environments, wrappers, runs and the command line
    read them from the class.

    Attributes:
        model_defaults: Defaults of `ModelOptions` that the method changes, by name.
        halts: Whether the method ends unknown rows, so that a wrapper must not halt them again.
        needs_ensemble: What it does to an ensemble that no other model allows, the beginning of a message;
            None if it takes any model. An ensemble is needed itself, without known outputs.
        compares_samples: Whether the method compares the model's samples with recorded observations, so that
            known columns, which are filled in after a sample, would give it away.
    """

    model_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    halts: ClassVar[bool] = False
    needs_ensemble: ClassVar[str | None] = None
    compares_samples: ClassVar[bool] = False

    @property
    def members(self) -> str:
        """The members that a step evaluates: `"elites"`, or `"all"`."""
        return "elites"

    def check(self, shape: ModelShape) -> None:
        """Refuse members that the method cannot work with; also called before a model is fitted.

        Raises:
            SettingsError: It cannot.
        """

    def check_data(self, transitions: Transitions) -> None:
        """Refuse data that the method cannot work with; called before a model is fitted.

        Args:
            transitions: The dataset, with the rewards of the environment.

        Raises:
            SettingsError: It cannot.
        """

    def own_model(self, model: DynamicsModel) -> DynamicsModel:
        """The model that the environment steps: a shared one as it is, or a copy to change."""
        return model

    @property
    def samples(self) -> bool:
        """Whether the method has a sampler of its own, so that the `member` setting has no effect."""
        return type(self).sampler is not Method.sampler

    def sampler(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> Sampler | None:
        """Make a sampler of the method's own, instead of the one that `member` names; or None.

        Args:
            model: See `transform`, as for the others.
            transitions: The dataset.
            cache_dir: Folder of fitted models, or None for the user's cache.
            progress: Whether to report long computations on standard error.
        """
        del model, transitions, cache_dir, progress  # Unused.
        return None

    def transform(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> Transform | None:
        """Make the method's change of every step, or None.

        Args:
            model: The fitted model.
            transitions: The dataset.
            cache_dir: Folder of fitted models, or None for the user's cache.
            progress: Whether to report long computations on standard error.
        """
        del model, transitions, cache_dir, progress  # Unused.
        return None

    def monitor(self, n: int, device: torch.device) -> Monitor | None:
        """Make the monitor of `n` rows, or None."""
        del n, device  # Unused.
        return None

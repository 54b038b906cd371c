"""OfflineRL-Kit's own fit of its own model, kept in a folder."""

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from kit_settings import KitSettings
from peers import kit_buffer, kit_ends, kit_unfitted
from timing import timed

from offline_envs.data import Transitions
from offline_envs.files import new_folder

PATIENCE = 5
"""Epochs without an improvement after which the fit ends."""


def set_seeds(seed: int) -> None:
    """Seed all random numbers that OfflineRL-Kit draws."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the generator that OfflineRL-Kit draws from
    torch.manual_seed(seed)


class FitLog:
    """What OfflineRL-Kit's fit takes for its logger; it prints each epoch's figures.

    Args:
        folder: Where the fit saves its model.
    """

    def __init__(self, folder: Path) -> None:
        self.model_dir = str(folder)
        self._figures: dict[str, float] = {}
        self._epoch = 0
        self._start = time.perf_counter()

    def log(self, text: str) -> None:
        """Print a line."""
        typer.echo(text, err=True)

    def logkv(self, name: str, value: float) -> None:
        """Take a figure of the epoch."""
        self._figures[name] = value

    def set_timestep(self, epoch: int) -> None:
        """Take the number of the epoch."""
        self._epoch = epoch

    def dumpkvs(self, exclude: object = None) -> None:
        """Print the figures of the epoch."""
        del exclude  # names its other log
        figures = ", ".join(f"{name.split('/')[-1]} {value:.4g}" for name, value in self._figures.items())
        self.log(f"Epoch {self._epoch}, {time.perf_counter() - self._start:.0f} s: {figures}")


def fitted(checkout: Path, data: Transitions, settings: KitSettings, kept: Path, device: str) -> Any:
    """OfflineRL-Kit's dynamics, fitted to the dataset or as an earlier call kept them.

    Args:
        checkout: Folder of OfflineRL-Kit.
        data: The dataset.
        settings: The run.
        kept: Folder of the fitted model; there once the fit is complete.
        device: Where it is computed.
    """
    set_seeds(settings.seed)
    ends, coef = kit_ends(checkout, data.env_id or ""), settings.penalty_coef
    penalty_coef = coef if settings.method == "mopo" else 0.0  # MOBILE's own is not the model's
    sizes = (data.obs_dim, data.action_dim)
    dynamics = kit_unfitted(checkout, *sizes, ends, device, penalty_coef)
    if not kept.exists():
        rows = kit_buffer(checkout, len(data), data, filled=True).sample_all()
        limits = {"max_epochs": settings.max_epochs, "max_epochs_since_update": PATIENCE}
        with new_folder(kept) as part:
            _, seconds = timed(lambda: dynamics.train(rows, FitLog(part), **limits))
        typer.echo(f"Fitted in {seconds:.0f} s", err=True)
    dynamics.load(str(kept))
    return dynamics

"""`EnsembleSettings`: the shape of an ensemble."""

from dataclasses import dataclass

from offline_envs.dynamics.ensemble.hidden import ACTIVATIONS
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.settings import JsonSettings, added_later


@dataclass(frozen=True)
class EnsembleSettings(JsonSettings):
    """Shape of the ensemble; the defaults are those of MOPO (Yu et al. 2020, appendix D).

    The four model kinds of PETS (Chua et al. 2018, table 1) are `probabilistic` on or off with `n_members`
    1 (P, D) or more (PE, DE).

    Attributes:
        n_members: Number of networks, N.
        n_elites: Number of members with the lowest holdout error, from which transitions are drawn, E.
        hidden: Width of each hidden layer.
        probabilistic: Whether members predict a variance; otherwise they are fitted by squared error.
        separate_heads: Whether mean and log-variance come from two linear layers (MOPO) or one (MBPO).
        spectral_norm: Whether the largest singular value of every layer but the log-variance head is kept
            at `spectral_bound`, as MOPO's paper describes and its release omits.
        layer_norm: Whether what enters each activation is layer-normalised, with a gain and a shift of each
            member's own.
        activation: Activation of the hidden layers: `"silu"` (MOPO) or `"leaky_relu"`. NEUBAY
            (arXiv 2512.04341) has the latter with `layer_norm`.
        logvar_bounds: Initial lower and upper bound of every output's log-variance, in the units of the fit's
            targets. They are learned; RAMBO's release (Rigter et al. 2022) starts from (−6, 1).
        spectral_bound: Largest singular value of the layers with `spectral_norm`, a setting to choose by the
            fit's error (Gouk et al. 2021, section 4). 1 is the paper's; few layers of 1 can follow data.
    """

    n_members: int = 7
    n_elites: int = 5
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    probabilistic: bool = True
    separate_heads: bool = True
    spectral_norm: bool = False
    layer_norm: bool = added_later(False)
    activation: str = added_later("silu")
    logvar_bounds: tuple[float, ...] = added_later((-10.0, 0.5))
    spectral_bound: float = added_later(1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_members < 1:
            raise SettingsError(f"n_members must be at least 1, got {self.n_members}.")
        if not 1 <= self.n_elites <= self.n_members:
            raise SettingsError(
                f"n_elites must lie in 1..n_members={self.n_members}, got {self.n_elites}. "
                "Set both, e.g. n_members=1, n_elites=1 for a single model."
            )
        if not self.hidden or min(self.hidden) < 1:
            raise SettingsError(f"hidden must hold the width of each hidden layer, got {self.hidden}.")
        if self.spectral_norm and self.probabilistic and not self.separate_heads:
            raise SettingsError(
                "spectral_norm spares the log-variance head, so it needs separate_heads=True."
            )
        if self.spectral_bound <= 0:
            raise SettingsError(f"spectral_bound must be above 0, got {self.spectral_bound}.")
        if self.spectral_bound != 1 and not self.spectral_norm:
            raise SettingsError(
                f"spectral_bound={self.spectral_bound} bounds nothing without spectral_norm=True."
            )
        if self.activation not in ACTIVATIONS:
            raise unknown_name("activation", self.activation, ACTIVATIONS)
        if len(self.logvar_bounds) != 2 or not self.logvar_bounds[0] < self.logvar_bounds[1]:
            raise SettingsError(
                f"logvar_bounds must be a lower and a higher number, got {self.logvar_bounds}."
            )
        if self.spectral_norm and self.layer_norm:
            raise SettingsError(
                "layer_norm undoes the scale of every hidden layer, so spectral_norm would bound nothing. "
                "Choose one of them."
            )

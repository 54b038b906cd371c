"""Settings of an ensemble and of its fit: frozen, checked, and written to JSON with every model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, get_args, get_origin

from offline_envs.dynamics.rounding import HIDDEN_DTYPES
from offline_envs.dynamics.schedules import SCHEDULES
from offline_envs.errors import SettingsError, SettingsTypeError, unknown_name


class JsonSettings:
    """Conversion of a frozen dataclass of numbers, flags and tuples from and to JSON."""

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if not _is_of(f.type, value):
                kind = f.type.__name__ if isinstance(f.type, type) and not get_args(f.type) else f.type
                raise SettingsTypeError(f"{f.name} must be of type {kind}, got {value!r}")

    def to_json(self) -> dict[str, Any]:
        """Every field by name, as JSON values."""
        return {
            name: list(v) if isinstance(v, tuple) else v
            for name, v in asdict(self).items()  # type: ignore[call-overload]
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings from JSON values; what is left out keeps its default.

        Raises:
            SettingsError: A name that is not a setting, or a value of another type or outside its range.
        """
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in names:
                raise unknown_name(f"setting of {cls.__name__}", name, names)
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value is of an annotated type; a flag is no number, an int will do for a float."""
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of(get_args(kind)[0], v) for v in value)
    if get_args(kind):
        return any(_is_of(option, value) for option in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


@dataclass(frozen=True)
class EnsembleSettings(JsonSettings):
    """Shape of the ensemble; the defaults are those of MOPO (Yu et al. 2020, appendix D).

    The four model kinds of PETS (Chua et al. 2018, table 1) are `probabilistic` on or off with `n_members`
    1 (P, D) or more (PE, DE).

    Attributes:
        n_members: Number of networks, N.
        n_elites: Number of members, those of lowest holdout error, that transitions are drawn from, E.
        hidden: Width of each hidden layer.
        probabilistic: Whether members predict a variance; otherwise they are fitted by squared error.
        separate_heads: Whether mean and log-variance come from two linear layers (MOPO) or one (MBPO).
        spectral_norm: Whether the largest singular value of every layer but the log-variance head is held
            at 1, as MOPO's paper describes and its release leaves out.
    """

    n_members: int = 7
    n_elites: int = 5
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    probabilistic: bool = True
    separate_heads: bool = True
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
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

    def n_compared(self, members: str) -> int:
        """Number of members in a choice, `"all"` or `"elites"`."""
        return self.n_members if members == "all" else self.n_elites


@dataclass(frozen=True)
class FitSettings(JsonSettings):
    """How the ensemble is fitted; the defaults are those of MOPO's release.

    Attributes:
        learning_rate: Adam's step size, at its largest.
        schedule: How it goes on: `"constant"`, or `"cosine"` down to zero after `max_epochs`, which reaches
            the same error in fewer epochs with a higher `learning_rate`, such as 4e-3.
        batch_size: Rows a member sees in one gradient step.
        holdout: Rows kept out to score members, at most a fifth of the dataset.
        weight_decay: Factor of half the squared weights added to the loss: one a hidden layer, then one for
            the heads. More hidden layers than values repeat the last hidden one, fewer take the first.
        bound_weight: Factor of the term that pulls the log-variance bounds together.
        bootstrap: Whether each member draws its own rows with replacement.
        patience: Number of epochs in a row without any member improving after which the fit stops. A cosine
            goes on to its end, for the last epochs, of small steps, are what it is for.
        improvement: Share by which a member's holdout error must fall to count as an improvement.
        max_epochs: Upper limit of epochs, or None.
        precision: Of the gradient steps' matrix products: `"float32"`; `"tf32"`, which is a CUDA device's;
            or `"bfloat16"`, in which hidden layers are computed, weights staying float32. Members are scored
            in float32 all the same. bfloat16 takes half to two thirds of the time on a CPU that has
            instructions for it (AMD from Zen 4, Intel with AMX or AVX512_BF16), and longer on others.
        seed: Seed of initial weights, holdout split, bootstrap and batch order.
    """

    learning_rate: float = 1e-3
    schedule: str = "constant"
    batch_size: int = 256
    holdout: int = 1000
    weight_decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    bound_weight: float = 0.01
    bootstrap: bool = True
    patience: int = 5
    improvement: float = 0.01
    max_epochs: int | None = None
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "batch_size", "holdout", "patience"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.max_epochs is not None and self.max_epochs < 1:
            raise SettingsError(f"max_epochs must be at least 1 or None, got {self.max_epochs}.")
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if self.precision not in HIDDEN_DTYPES:
            raise unknown_name("precision", self.precision, HIDDEN_DTYPES)
        if self.is_planned and self.max_epochs is None:
            raise SettingsError(
                f"schedule={self.schedule!r} needs max_epochs, the epochs after which the learning rate is "
                "zero, e.g. max_epochs=16; got None."
            )
        if not self.weight_decay or min(self.weight_decay) < 0 or self.bound_weight < 0:
            raise SettingsError("weight_decay and bound_weight must not be negative.")
        if not 0 <= self.improvement < 1:
            raise SettingsError(f"improvement must be at least 0 and less than 1, got {self.improvement}.")
        if self.seed < 0:
            raise SettingsError(f"seed must be 0 or more, got {self.seed}.")

    @property
    def is_planned(self) -> bool:
        """Whether the schedule leads to an end, `max_epochs`, before which the fit must not stop."""
        return self.schedule != "constant"

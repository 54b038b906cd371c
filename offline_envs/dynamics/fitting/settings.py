"""`FitSettings`: how an ensemble is fitted."""

from dataclasses import dataclass

from offline_envs.dynamics.fitting.schedules import SCHEDULES
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import HIDDEN_DTYPES
from offline_envs.settings import JsonSettings, check_seed


@dataclass(frozen=True)
class FitSettings(JsonSettings):
    """How the ensemble is fitted; the defaults are those of MOPO's release.

    Attributes:
        learning_rate: Peak learning rate of Adam.
        schedule: Learning-rate schedule: `"constant"`, or `"cosine"` down to zero after `max_epochs`, which
            reaches the same error in fewer epochs with a higher `learning_rate`, such as 4e-3.
        batch_size: Rows a member sees in one gradient step.
        holdout: Rows kept out to score members, at most a fifth of the dataset.
        weight_decay: Factor of half the squared weights added to the loss: one a hidden layer, then one for
            the heads. More hidden layers than values repeat the last hidden one, fewer take the first.
        bound_weight: Factor of the term that pulls the log-variance bounds together.
        standardize_targets: Whether networks are fitted to targets of mean 0 and deviation 1, so that neither
            loss nor ranking of members depends on units. The fitted ensemble predicts in raw units in any
            case. The releases of MBPO and MOPO fit raw targets, which leaves a column whose steps deviate
            by less than about 0.03 to the noise: no deviation below e⁻⁵ can be predicted at first.
        bootstrap: Whether each member draws its own rows with replacement.
        patience: Number of epochs in a row without any member improving after which the fit stops. A cosine
            schedule always runs to its end, as its purpose is the small steps of its last epochs.
        improvement: Share by which a member's holdout error must fall to count as an improvement.
        max_epochs: Upper limit of epochs, or None.
        precision: Precision of the gradient steps' matrix products: `"float32"`; `"tf32"` (CUDA devices); or
            `"bfloat16"`, in which hidden layers are computed while weights stay float32. Members are scored
            in float32 in any case. bfloat16 takes half to two thirds of the time on a CPU that has
            instructions for it (AMD from Zen 4, Intel with AMX or AVX512_BF16), and longer on others.
        seed: Seed of initial weights, holdout split, bootstrap and batch order.
    """

    learning_rate: float = 1e-3
    schedule: str = "constant"
    batch_size: int = 256
    holdout: int = 1000
    weight_decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    bound_weight: float = 0.01
    standardize_targets: bool = True
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
        if not self.weight_decay or min(self.weight_decay) < 0:
            raise SettingsError(
                f"weight_decay must hold at least one number, none of them negative, got {self.weight_decay}."
            )
        if self.bound_weight < 0:
            raise SettingsError(f"bound_weight must be 0 or more, got {self.bound_weight}.")
        if not 0 <= self.improvement < 1:
            raise SettingsError(f"improvement must be at least 0 and less than 1, got {self.improvement}.")
        check_seed(self.seed)

    @property
    def is_planned(self) -> bool:
        """Whether the schedule ends at `max_epochs`, before which the fit must not stop."""
        return self.schedule != "constant"

"""`FitSettings`: how an ensemble is fitted."""

from dataclasses import dataclass

from offline_envs.dynamics.fitting.schedules import OWN_SCHEDULES, SCHEDULES
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import HIDDEN_DTYPES
from offline_envs.settings import JsonSettings, added_later, check_seed

OWN_KINDS = ("mean", "sample")
"""What the input of a step after the first may be, see the setting `own_kind`."""


@dataclass(frozen=True)
class FitSettings(JsonSettings):
    """How the ensemble is fitted; the defaults are those of MOPO's release.

    Attributes:
        learning_rate: Peak learning rate of Adam.
        schedule: Learning-rate schedule: `"constant"`, or `"cosine"` down to zero after `max_epochs`, which
            reaches the same error in fewer epochs with a higher `learning_rate`, such as 4e-3.
        batch_size: Rows a member sees in one gradient step.
        holdout: Rows kept out to score members, at most `holdout_share` of the dataset.
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
        rollout_steps: Steps of a window over which the loss is averaged, k, see `multi_step`. With more than
            one, a batch consists of `batch_size` windows, an epoch takes k times as long, and members are
            scored by the error of open-loop predictions over k steps.
        own_inputs: Probability that the input of a step after the first is the member's own prediction.
        own_schedule: Schedule of that probability: `"constant"`, or `"linear"` from zero up to `own_inputs`
            in the first half of `max_epochs`.
        own_kind: What the member's own input is: the `"mean"` of its prediction, or a `"sample"`.
        own_gradient: Whether gradients pass through own inputs; otherwise they count as given.
        value_weight: Weight φ of the term by which members' errors count as far as values depend on them, see
            `value_consistency`; VIPO has 1e-4. It is in units of one over the squared reward.
        value_discount: Discount γ of these values.
        holdout_share: Largest share of the dataset that is kept out; RAMBO's release has a tenth.
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
    rollout_steps: int = added_later(1)
    own_inputs: float = added_later(1.0)
    own_schedule: str = added_later("linear")
    own_kind: str = added_later("mean")
    own_gradient: bool = added_later(True)
    value_weight: float = added_later(0.0)
    value_discount: float = added_later(0.99)
    holdout_share: float = added_later(0.2)

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
        if self.schedule != "constant" and self.max_epochs is None:
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
        check_seed(self.seed)
        self._check_scoring()
        self._check_own_inputs()
        self._check_value_term()

    def _check_scoring(self) -> None:
        if not 0 <= self.improvement < 1:
            raise SettingsError(f"improvement must be at least 0 and less than 1, got {self.improvement}.")
        if not 0 < self.holdout_share <= 0.5:
            raise SettingsError(f"holdout_share must lie above 0, up to 0.5, got {self.holdout_share}.")

    def _check_own_inputs(self) -> None:
        if self.rollout_steps < 1:
            raise SettingsError(f"rollout_steps must be at least 1, got {self.rollout_steps}.")
        if not 0 <= self.own_inputs <= 1:
            raise SettingsError(f"own_inputs must lie in 0..1, got {self.own_inputs}.")
        if self.own_schedule not in OWN_SCHEDULES:
            raise unknown_name("own_schedule", self.own_schedule, OWN_SCHEDULES)
        if self.own_kind not in OWN_KINDS:
            raise unknown_name("own_kind", self.own_kind, OWN_KINDS)
        own = (self.own_inputs, self.own_schedule, self.own_kind, self.own_gradient)
        if self.rollout_steps == 1 and own != (1.0, "linear", "mean", True):
            raise SettingsError(
                "own_inputs, own_schedule, own_kind and own_gradient are about steps after the first; with "
                "rollout_steps=1 there is none. Choose more, e.g. rollout_steps=5, or leave them out."
            )
        if self._own_inputs_grow and self.max_epochs is None:
            raise SettingsError(
                "own_schedule='linear' needs max_epochs, in the first half of which own_inputs grow, e.g. "
                "max_epochs=16; got None. own_schedule='constant' does without."
            )

    def _check_value_term(self) -> None:
        if self.value_weight < 0:
            raise SettingsError(f"value_weight must be 0 or more, got {self.value_weight}.")
        if not 0 <= self.value_discount < 1:
            raise SettingsError(
                f"value_discount must be at least 0 and less than 1, got {self.value_discount}."
            )
        if not self.value_weight and self.value_discount != 0.99:
            raise SettingsError(
                f"value_discount={self.value_discount:g} is about the values of a term that value_weight=0 "
                "leaves out. Set a weight, e.g. value_weight=1e-4, or leave it out."
            )
        if self.value_weight and self.rollout_steps > 1:
            raise SettingsError(
                f"value_weight={self.value_weight:g} is for fits to single steps, not for "
                f"rollout_steps={self.rollout_steps}. Set one of them."
            )

    @property
    def _own_inputs_grow(self) -> bool:
        return self.rollout_steps > 1 and self.own_schedule != "constant"

    @property
    def is_planned(self) -> bool:
        """Whether a schedule ends at `max_epochs`, before which the fit must not stop."""
        return self.schedule != "constant" or self._own_inputs_grow

"""`Penalty`: MOPO's uncertainty-penalised MDP (Yu et al. 2020)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    MEASURES,
    DynamicsModel,
    Measure,
    ModelShape,
    Prediction,
    check_members,
    mean_uncertainty,
    n_compared,
)
from offline_envs.errors import SettingsError
from offline_envs.mdp import Step
from offline_envs.methods.base import Method
from offline_envs.methods.penalty_scale import RAW, check_penalty_scale, check_unit, penalty_unit


@dataclass(frozen=True)
class Penalty(Method):
    """Rewards minus λ times the model's uncertainty.

    Attributes:
        penalty_coef: λ, in units of reward per unit of uncertainty.
        penalty: Name of the measure, see `offline_envs.dynamics.MEASURES`.
        penalty_members: Members that are measured: `"all"` (MOPO's release) or `"elites"`.
        penalty_scale: Unit of uncertainty in which λ counts: `"raw"` for the measure's own (the papers'), or
            `"data"` for its mean over the dataset, as in NEUBAY's release (arXiv 2512.04341), so that the
            dataset's steps cost λ on average, whatever the measure. `"reward"` so that they cost the share λ
            of their mean |reward|, whatever the measure and the rewards.

    Raises:
        SettingsError: A coefficient that is negative or not finite, or an unknown name.
    """

    penalty_coef: float = 1.0
    penalty: str = "max_std"
    penalty_members: str = "all"
    penalty_scale: str = RAW

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.penalty_coef < 0:
            raise SettingsError(f"penalty_coef must be 0 or more, got {self.penalty_coef}.")
        check_members("penalty_members", self.penalty_members)
        MEASURES.find(self.penalty)
        check_penalty_scale(self.penalty_scale)

    @property
    def members(self) -> str:
        """The members that are measured."""
        return self.penalty_members

    def check(self, shape: ModelShape) -> None:
        """Refuse a measure that would be zero everywhere for these members.

        Raises:
            SettingsError: A measure of variances without variances, or a comparison of a single member.
        """
        measure, name = MEASURES[self.penalty], self.penalty
        if measure.needs_variance and not shape.probabilistic:
            raise SettingsError(
                f"penalty={name!r} needs members that predict a variance, but probabilistic=False. "
                f"Use penalty={_names(lambda m: not m.needs_variance)}."
            )
        if measure.compares_members and n_compared(shape, self.penalty_members) == 1:
            raise SettingsError(
                f"penalty={name!r} compares members, but a single one is measured. Use "
                f"penalty={_names(lambda m: not m.compares_members)}, or more members "
                "(ensemble={'n_members': ...} and penalty_members=)."
            )

    def check_data(self, transitions: Transitions) -> None:
        """Refuse rewards that cannot be the unit of λ.

        Raises:
            SettingsError: They set the unit, and all of them are 0.
        """
        check_unit(self.penalty_scale, transitions)

    def transform(
        self,
        model: DynamicsModel,
        transitions: Transitions,
        *,
        cache_dir: Path | str | None = None,
        progress: bool = True,
    ) -> "Penalize":
        """Make the penalty.

        Raises:
            SettingsError: The uncertainty on the dataset sets the unit, and is not finite or is 0; or its
                rewards do, and all of them are 0.
        """
        mean = partial(
            mean_uncertainty,
            model,
            transitions,
            self.penalty,
            members=self.penalty_members,
            cache_dir=cache_dir,
            progress=progress,
        )
        return self.penalize(penalty_unit(self.penalty_scale, mean, transitions))

    def penalize(self, unit: float = 1.0) -> "Penalize":
        """The change of a step that the settings describe.

        Args:
            unit: Uncertainty that costs λ.
        """
        return Penalize(self.penalty_coef / unit, MEASURES[self.penalty])


@dataclass(frozen=True)
class Penalize:
    """The uncertainty-penalised MDP: r̃(s, a) = r − λ·u(s, a), Yu et al. 2020 (MOPO), section 4.2.

    Attributes:
        coef: Penalty coefficient λ, in units of reward per unit of uncertainty.
        measure: Uncertainty u, a function of the members' predictions.
    """

    coef: float
    measure: Measure = MEASURES["max_std"]

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Subtract the penalty from the reward."""
        del obs, action, generator  # Unused.
        penalty = self.penalty(prediction, step.replaced)
        return step._replace(reward=step.reward - penalty, penalty=step.penalty + penalty)

    def penalty(self, prediction: Prediction, replaced: Tensor) -> Tensor:
        """λ·u for each row, `(B,)`, and 0 in the rows whose reward was replaced.

        An exploded row is worth exactly the dataset's lowest reward and a halted one exactly the reward of
        halting; their u could be of any size.
        """
        return (self.coef * self.measure(prediction)).masked_fill(replaced, 0.0)

    def infos(self, step: Step) -> dict[str, Tensor]:
        """None: every learned MDP reports its penalty."""
        del step  # Unused.
        return {}


def _names(usable: Callable[[Measure], bool]) -> str:
    *others, last = (repr(name) for name, measure in MEASURES.items() if usable(measure))
    return f"{', '.join(others)} or {last}" if others else last

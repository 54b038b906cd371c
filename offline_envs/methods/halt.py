"""`HaltSettings`: the settings of MOReL's pessimistic MDP, and the `Halt` that they make."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    EnsembleDynamics,
    ThresholdRule,
    UnknownDetector,
    disagreement_stats,
    obs_scale,
)
from offline_envs.dynamics.uncertainty.disagreement import MEMBER_CHOICES
from offline_envs.dynamics.uncertainty.unknown import UNITS
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp.pessimism import Halt, halt_reward

KAPPA = 100.0
"""Default κ, from the paper's grid 30, 50, 100, 200."""

BETA = 10.0
"""Default β of mean + β·std, from the paper's grid 0, 5, 10, ...: beyond it lies about one row in 1000."""


def threshold_rule(setting: Mapping[str, float] | None) -> ThresholdRule:
    """The rule of a `threshold` setting; None means mean + `BETA`·std.

    Raises:
        SettingsError: Not one rule with one number that it can use.
    """
    return ThresholdRule.from_json({"mean_std": BETA} if setting is None else setting)


@dataclass(frozen=True)
class HaltSettings:
    """When an episode is halted and what that pays, checked when it is made.

    Attributes:
        threshold: One rule with its value: `{"mean_std": β}` for mean + β·std over the dataset (the paper),
            `{"quantile": q}`, or `{"max_over": c}` for the largest over c (the release). None means
            `{"mean_std": BETA}`.
        units: Units of the disagreement: `"std"` for the dataset's standard deviation of each observation
            dimension, `"raw"` for the observations' own (the paper).
        halt_members: Whose predictions are compared: `"all"` (the paper) or `"elites"`.
        kappa: κ; a halt pays the dataset's lowest reward minus κ.
        absorbing: Whether it pays the discounted sum of that reward for ever, see `halt_reward`.
        gamma: The agent's discount γ, used if `absorbing`.
    """

    threshold: Mapping[str, float] | None = None
    units: str = "std"
    halt_members: str = "all"
    kappa: float = KAPPA
    absorbing: bool = False
    gamma: float = 0.99

    def __post_init__(self) -> None:
        """Refuse what cannot be used.

        Raises:
            SettingsError: An unknown name, or a number out of range.
        """
        threshold_rule(self.threshold)
        if self.units not in UNITS:
            raise unknown_name("units", self.units, UNITS)
        if self.halt_members not in MEMBER_CHOICES:
            raise unknown_name("halt_members", self.halt_members, MEMBER_CHOICES)
        if not 0 <= self.kappa < math.inf:
            raise SettingsError(f"kappa must be finite and 0 or more, got {self.kappa}.")
        if not 0 <= self.gamma < 1:
            raise SettingsError(f"gamma must be 0 or more and below 1, got {self.gamma}.")

    def halt(
        self,
        ensemble: EnsembleDynamics,
        transitions: Transitions,
        *,
        cache_dir: Path | str | None = None,
        progress: bool = True,
    ) -> Halt:
        """The pessimism that halts where a model does not know enough, on the model's device.

        The threshold is that of the weights as they are now; it stays if they change.

        Args:
            ensemble: The model.
            transitions: Its dataset, whose disagreements set the threshold, and whose lowest reward the
                price.
            cache_dir: Cache folder, see `cache_folder`.
            progress: Whether to say on standard error that members are compared or another process is
                waited for.

        Raises:
            SettingsError: A single member is compared, or its predictions are not finite.
        """
        stats = disagreement_stats(
            ensemble,
            transitions,
            members=self.halt_members,
            units=self.units,
            cache_dir=cache_dir,
            progress=progress,
        )
        scale = obs_scale(transitions, self.units).to(ensemble.elites.device)
        detector = UnknownDetector(scale, threshold_rule(self.threshold)(stats))
        lowest = float(transitions.rewards.min())
        return Halt(detector, halt_reward(lowest, self.kappa, absorbing=self.absorbing, gamma=self.gamma))

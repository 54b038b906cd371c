"""`Halt`: MOReL's pessimistic MDP (Kidambi et al. 2020), or NEUBAY's truncated one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    DISAGREEMENTS,
    MAX_DISTANCE,
    UNITS,
    DynamicsModel,
    ModelShape,
    ThresholdRule,
    UnknownDetector,
    check_comparable,
    check_members,
    disagreement_scale,
    disagreement_stats,
)
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.methods.base import Method
from offline_envs.methods.halt_counter import HaltCounter, TruncationCounter
from offline_envs.methods.unknown import GAMMA, HaltUnknown, TruncateUnknown, halt_reward

KAPPA = 100.0
"""Default κ, from the paper's grid 30, 50, 100, 200."""

HALT, TRUNCATE = "halt", "truncate"
"""What may become of an unknown row."""

BETA = 10.0
"""Default β of mean + β·std, from the paper's grid 0, 5, 10, ...: about one row in 1000 lies beyond it."""


@dataclass(frozen=True)
class Halt(Method):
    """When an episode is halted and what that yields, checked when it is made.

    Attributes:
        threshold: One rule with its value: `{"mean_std": β}` for mean + β·std over the dataset (the paper),
            `{"quantile": q}`, or `{"max_over": c}` for the largest over c (the release). None means
            `{"mean_std": BETA}`.
        units: Units of the disagreement: `"std"` for the dataset's standard deviation of each observation
            dimension, `"raw"` for the observations' own (the paper).
        halt_members: Members that are compared: `"all"` (the paper) or `"elites"`.
        kappa: κ; a halt yields the dataset's lowest reward minus κ.
        absorbing: Whether it yields the discounted sum of that reward for ever, see `halt_reward`.
        gamma: The agent's discount γ, used if `absorbing`.
        on_unknown: `"halt"` terminates an unknown row with that reward, see `HaltUnknown`; `"truncate"` cuts
            it with its own reward, so that its value is bootstrapped, see `TruncateUnknown`. With
            `disagreement="std"`, `{"quantile": 1.0}` and full episodes that is the Markov form of NEUBAY
            (arXiv 2512.04341).
        disagreement: How far members are apart: `"max_distance"` for the largest distance between two of them
            (MOReL), `"std"` for their deviation, on average over reward and observation (NEUBAY).

    Raises:
        SettingsError: An unknown name, a number out of range, or a reward of halts where there are none.
    """

    model_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"member": "episode", "start": "initial"})
    """Episodes are those of the real environment, not branches of them."""
    halts: ClassVar[bool] = True

    threshold: Mapping[str, float] | None = None
    units: str = "std"
    halt_members: str = "all"
    kappa: float = KAPPA
    absorbing: bool = False
    gamma: float = GAMMA
    on_unknown: str = HALT
    disagreement: str = MAX_DISTANCE

    def __post_init__(self) -> None:
        threshold_rule(self.threshold)  # first: it names the rules
        super().__post_init__()
        if self.units not in UNITS:
            raise unknown_name("units", self.units, UNITS)
        check_members("halt_members", self.halt_members)
        if self.kappa < 0:
            raise SettingsError(f"kappa must be 0 or more, got {self.kappa}.")
        if not 0 <= self.gamma < 1:
            raise SettingsError(f"gamma must be 0 or more and below 1, got {self.gamma}.")
        if self.on_unknown not in (HALT, TRUNCATE):
            raise unknown_name("on_unknown", self.on_unknown, (HALT, TRUNCATE))
        DISAGREEMENTS.find(self.disagreement)
        if self.truncates and (self.kappa != KAPPA or self.absorbing):
            raise SettingsError(
                "on_unknown='truncate' leaves rewards as they are, so kappa= and absorbing= have no effect; "
                f"got kappa={self.kappa:g} and absorbing={self.absorbing}. Leave them out."
            )

    @property
    def truncates(self) -> bool:
        """Whether an unknown row is truncated, not terminated."""
        return self.on_unknown == TRUNCATE

    @property
    def members(self) -> str:
        """The members that are compared."""
        return self.halt_members

    def check(self, shape: ModelShape) -> None:
        """Refuse members that cannot disagree.

        Raises:
            SettingsError: A single member is compared.
        """
        check_comparable(shape, self.halt_members, setting="halt_members")

    def transform(
        self,
        model: DynamicsModel,
        transitions: Transitions,
        *,
        cache_dir: Path | str | None = None,
        progress: bool = True,
    ) -> HaltUnknown | TruncateUnknown:
        """Make what ends unknown pairs for a model, on its device.

        The threshold belongs to the current weights; it does not follow later changes of them.

        Args:
            model: The model.
            transitions: Its dataset, whose disagreements set the threshold and whose lowest reward sets the
                reward of a halt.
            cache_dir: Cache folder, see `cache_folder`.
            progress: Whether to say on standard error that members are compared or another process is
                waited for.

        Raises:
            SettingsError: A single member is compared, or its predictions are not finite.
        """
        detector = self.detector(model, transitions, cache_dir=cache_dir, progress=progress)
        if self.truncates:
            return TruncateUnknown(detector)
        lowest = float(transitions.rewards.min())
        reward = halt_reward(lowest, self.kappa, absorbing=self.absorbing, gamma=self.gamma)
        return HaltUnknown(detector, reward)

    def detector(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> UnknownDetector:
        """Set the threshold by the dataset; see `transform`."""
        stats = disagreement_stats(
            model,
            transitions,
            members=self.halt_members,
            units=self.units,
            disagreement=self.disagreement,
            cache_dir=cache_dir,
            progress=progress,
        )
        scale = disagreement_scale(transitions, self.units, self.disagreement).to(model.device)
        threshold = threshold_rule(self.threshold)(stats)
        return UnknownDetector(scale, threshold, DISAGREEMENTS[self.disagreement])

    def monitor(self, n: int, device: torch.device) -> HaltCounter:
        """Count unknown rows, and warn if the threshold ends almost none or almost all episodes."""
        return TruncationCounter(n, device) if self.truncates else HaltCounter(n, device)


def threshold_rule(setting: Mapping[str, float] | None) -> ThresholdRule:
    """The rule of a `threshold` setting; None means mean + `BETA`·std.

    Raises:
        SettingsError: Not one rule with one number that it can use.
    """
    return ThresholdRule.from_json({"mean_std": BETA} if setting is None else setting)

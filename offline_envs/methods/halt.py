"""`Halt`: MOReL's pessimistic MDP (Kidambi et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import (
    UNITS,
    DynamicsModel,
    ModelShape,
    Prediction,
    ThresholdRule,
    UnknownDetector,
    check_comparable,
    check_members,
    disagreement_stats,
    obs_scale,
)
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp import Step
from offline_envs.methods.base import Method
from offline_envs.methods.halt_counter import HaltCounter

HALTED = "halted"
"""Info: whether the pair of obs and action was unknown to the model, so that the episode was ended."""

DISAGREEMENT = "disagreement"
"""Info: largest distance between two members' means of the next observation; NaN if the model has none."""

THRESHOLD = "threshold"
"""Info: largest disagreement that counts as known."""

KAPPA = 100.0
"""Default κ, from the paper's grid 30, 50, 100, 200."""

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

    Raises:
        SettingsError: An unknown name, or a number out of range.
    """

    model_defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"member": "episode", "start": "initial"})
    """Episodes are those of the real environment, not branches of them."""
    halts: ClassVar[bool] = True

    threshold: Mapping[str, float] | None = None
    units: str = "std"
    halt_members: str = "all"
    kappa: float = KAPPA
    absorbing: bool = False
    gamma: float = 0.99

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
    ) -> "HaltUnknown":
        """Make the halt of unknown pairs for a model, on its device.

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
        stats = disagreement_stats(
            model,
            transitions,
            members=self.halt_members,
            units=self.units,
            cache_dir=cache_dir,
            progress=progress,
        )
        scale = obs_scale(transitions, self.units).to(model.device)
        detector = UnknownDetector(scale, threshold_rule(self.threshold)(stats))
        lowest = float(transitions.rewards.min())
        reward = halt_reward(lowest, self.kappa, absorbing=self.absorbing, gamma=self.gamma)
        return HaltUnknown(detector, reward)

    def monitor(self, n: int, device: torch.device) -> HaltCounter:
        """Count halts, and warn if the threshold halts almost none or almost all episodes."""
        return HaltCounter(n, device)


def threshold_rule(setting: Mapping[str, float] | None) -> ThresholdRule:
    """The rule of a `threshold` setting; None means mean + `BETA`·std.

    Raises:
        SettingsError: Not one rule with one number that it can use.
    """
    return ThresholdRule.from_json({"mean_std": BETA} if setting is None else setting)


@dataclass(frozen=True)
class HaltUnknown:
    """The pessimistic MDP: an unknown pair of obs and action ends the episode with a low reward.

    Kidambi et al. 2020 (MOReL), section 4. The successor stays as predicted, so that it is finite; it is
    terminal, so no value is bootstrapped from it.

    A row that exploded is halted too where its pair is unknown: otherwise leaving the data far behind, which
    costs the dataset's lowest reward, would be cheaper than leaving them a little.

    Attributes:
        detector: What is unknown.
        reward: Reward of an unknown pair, see `halt_reward`.
    """

    detector: UnknownDetector
    reward: float

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """End the unknown rows, whose reward and penalty are replaced."""
        del obs, action, generator  # Unused.
        disagreement, unknown = self.detector(prediction)
        return step._replace(
            reward=step.reward.masked_fill(unknown, self.reward),
            penalty=step.penalty.masked_fill(unknown, 0.0),
            terminated=step.terminated | unknown,
            replaced=step.replaced | unknown,
            extras={**step.extras, HALTED: unknown, DISAGREEMENT: disagreement},
        )

    def infos(self, step: Step) -> dict[str, Tensor]:
        """The entries about halting, see `halt_infos`."""
        return halt_infos(step.extras[HALTED], step.extras[DISAGREEMENT], self.detector.threshold)


def halt_infos(halted: Tensor, disagreement: Tensor, threshold: float) -> dict[str, Tensor]:
    """The entries about halting, `(B,)` each."""
    return {
        HALTED: halted,
        DISAGREEMENT: disagreement,
        THRESHOLD: torch.full_like(disagreement, threshold),
    }


def halt_reward(lowest: float, kappa: float, *, absorbing: bool = False, gamma: float = Halt.gamma) -> float:
    """The reward of an unknown pair of obs and action, given once.

    Kidambi et al. 2020 (MOReL). In its experiments an episode ends with r_halt = r_min − κ. In its theory
    (section 4) HALT is absorbing: it yields r_halt at every step for ever, a discounted sum of
    r_halt / (1 − γ). The environment ends either way; the sum is given as one reward.

    Where rewards are negative, ending early with r_min − κ may be worth more than continuing; the absorbing
    sum is not, as long as rewards stay above r_halt and the agent discounts by the same γ. The release
    gives no reward at a halt, which its agent treats as a truncation; that is not offered.

    Args:
        lowest: Lowest reward of the dataset, r_min.
        kappa: κ, the distance of a halt's reward below it.
        absorbing: Whether to give r_halt / (1 − γ) instead of r_halt.
        gamma: The agent's discount γ, used if `absorbing`.

    Returns:
        The reward, rounded to float32 as all rewards of a learned environment are.
    """
    reward = lowest - kappa
    return float(np.float32(reward / (1 - gamma) if absorbing else reward))

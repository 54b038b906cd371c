"""`HaltUnknown` and `TruncateUnknown`: what becomes of a row whose pair of obs and action is unknown."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline_envs.dynamics import Prediction, UnknownDetector
from offline_envs.mdp import Step

HALTED = "halted"
"""Info: whether the pair of obs and action was unknown to the model, so that the episode was ended."""

DISAGREEMENT = "disagreement"
"""Info: how far the members' predictions are apart; NaN if the model has none."""

THRESHOLD = "threshold"
"""Info: largest disagreement that counts as known."""

GAMMA = 0.99
"""Default discount of an absorbing halt."""


@dataclass(frozen=True)
class EndUnknown:
    """What ends unknown pairs of obs and action, and reports them.

    Attributes:
        detector: What is unknown.
    """

    detector: UnknownDetector

    def infos(self, step: Step) -> dict[str, Tensor]:
        """The entries about halting, see `halt_infos`."""
        return halt_infos(step.extras[HALTED], step.extras[DISAGREEMENT], self.detector.threshold)


@dataclass(frozen=True)
class HaltUnknown(EndUnknown):
    """The pessimistic MDP: an unknown pair of obs and action ends the episode with a low reward.

    Kidambi et al. 2020 (MOReL), section 4. The successor stays as predicted, so that it is finite; it is
    terminal, so no value is bootstrapped from it.

    A row that exploded is halted too where its pair is unknown: otherwise leaving the data far behind, which
    costs the dataset's lowest reward, would be cheaper than leaving them a little.

    Attributes:
        detector: What is unknown.
        reward: Reward of an unknown pair, see `halt_reward`.
    """

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


@dataclass(frozen=True)
class TruncateUnknown(EndUnknown):
    """No pessimism: an unknown pair of obs and action cuts the episode, and its value is bootstrapped.

    NEUBAY (arXiv 2512.04341). Reward, penalty and successor stay as they are. A row that terminates by itself
    is not truncated. Nor is one that exploded: it has no successor to bootstrap from, so it ends with the
    dataset's lowest reward as everywhere, see `Guard`.

    Attributes:
        detector: What is unknown.
    """

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Truncate the unknown rows that do not terminate."""
        del obs, action, generator  # Unused.
        disagreement, unknown = self.detector(prediction)
        return step._replace(
            truncated=step.truncated | (unknown & ~step.terminated),
            extras={**step.extras, HALTED: unknown, DISAGREEMENT: disagreement},
        )


def halt_infos(halted: Tensor, disagreement: Tensor, threshold: float) -> dict[str, Tensor]:
    """The entries about halting, `(B,)` each."""
    return {
        HALTED: halted,
        DISAGREEMENT: disagreement,
        THRESHOLD: torch.full_like(disagreement, threshold),
    }


def halt_reward(lowest: float, kappa: float, *, absorbing: bool = False, gamma: float = GAMMA) -> float:
    """The reward of an unknown pair of obs and action, given once.

    Kidambi et al. 2020 (MOReL). In its experiments an episode ends with r_halt = r_min − κ. In its theory
    (section 4) HALT is absorbing: it yields r_halt at every step for ever, a discounted sum of
    r_halt / (1 − γ). The environment ends either way; the sum is given as one reward.

    Where rewards are negative, ending early with r_min − κ may be worth more than continuing; the absorbing
    sum is not, as long as rewards stay above r_halt and the agent discounts by the same γ. The release
    gives no reward at a halt, which its agent treats as a truncation: `TruncateUnknown` is that, with the
    model's reward.

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

"""Pessimism: pure changes of a model's step, shared by the registered environments and the wrappers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.uncertainty.measures import Measure, max_std
from offline_envs.dynamics.uncertainty.unknown import UnknownDetector
from offline_envs.mdp.step import Step

Pessimism = Callable[[Step, Prediction], Step]
"""From a step and the predictions it was drawn from to a more cautious step."""


@dataclass(frozen=True)
class Penalize:
    """The uncertainty-penalised MDP: r̃(s, a) = r − λ·u(s, a), Yu et al. 2020 (MOPO), section 4.2.

    Attributes:
        coef: Penalty coefficient λ, in units of reward per unit of uncertainty.
        measure: Uncertainty u, a function of the members' predictions.
    """

    coef: float
    measure: Measure = max_std

    def __call__(self, step: Step, prediction: Prediction) -> Step:
        """Subtract the penalty from the reward."""
        penalty = self.penalty(prediction, step.exploded | step.halted)
        return step._replace(reward=step.reward - penalty, penalty=step.penalty + penalty)

    def penalty(self, prediction: Prediction, replaced: Tensor) -> Tensor:
        """λ·u for each row, `(B,)`, and 0 in the rows whose reward was replaced.

        An exploded row is worth exactly the dataset's lowest reward and a halted one exactly the reward of
        halting; their u could be of any size.
        """
        return (self.coef * self.measure(prediction)).masked_fill(replaced, 0.0)


@dataclass(frozen=True)
class Halt:
    """The pessimistic MDP: an unknown pair of obs and action ends the episode with a low reward.

    Kidambi et al. 2020 (MOReL), section 4. The successor stays what the model predicted, so that it is
    finite; being terminal, it is never looked ahead from.

    A row that exploded is halted too where its pair is unknown: otherwise leaving the data far behind, which
    costs the dataset's lowest reward, would be cheaper than leaving them a little.

    Attributes:
        detector: What is unknown.
        reward: Reward of an unknown pair, see `halt_reward`.
    """

    detector: UnknownDetector
    reward: float

    def __call__(self, step: Step, prediction: Prediction) -> Step:
        """End the unknown rows, whose reward and penalty are replaced."""
        disagreement, unknown = self.detector(prediction)
        return step._replace(
            reward=step.reward.masked_fill(unknown, self.reward),
            penalty=step.penalty.masked_fill(unknown, 0.0),
            terminated=step.terminated | unknown,
            halted=step.halted | unknown,
            disagreement=disagreement,
        )


def halt_reward(lowest: float, kappa: float, *, absorbing: bool = False, gamma: float = 0.99) -> float:
    """What an unknown pair of obs and action pays, once.

    Kidambi et al. 2020 (MOReL). In its experiments an episode ends with r_halt = r_min − κ. In its theory
    (section 4) HALT absorbs: it pays r_halt at every step for ever, which discounts to r_halt / (1 − γ). The
    environment ends either way; the sum is paid as one reward.

    Where rewards are negative, ending early with r_min − κ may be worth more than going on; the absorbing
    sum is not, as long as rewards stay above r_halt and the agent discounts by the same γ. The release
    pays nothing at a halt, which its agent takes for a truncation; that is not offered.

    Args:
        lowest: Lowest reward of the dataset, r_min.
        kappa: κ, how far below it a halt lies.
        absorbing: Whether to pay r_halt / (1 − γ) instead of r_halt.
        gamma: The agent's discount γ, used if `absorbing`.

    Returns:
        The reward, rounded to float32 as all rewards of a learned environment are.
    """
    reward = lowest - kappa
    return float(np.float32(reward / (1 - gamma) if absorbing else reward))

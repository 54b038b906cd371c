"""Pessimism: pure changes of a model's step, shared by the registered environments and the wrappers."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.uncertainty import Measure, max_std
from offline_envs.envs.step import Step

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
        penalty = self.penalty(prediction, step.exploded)
        return step._replace(reward=step.reward - penalty, penalty=step.penalty + penalty)

    def penalty(self, prediction: Prediction, exploded: Tensor) -> Tensor:
        """λ·u for each row, `(B,)`.

        An exploded row is worth exactly the dataset's lowest reward, so it carries no penalty; its u could
        be of any size.
        """
        return (self.coef * self.measure(prediction)).masked_fill(exploded, 0.0)

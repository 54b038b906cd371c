"""`TrueErrorModel-v0`: MOPO's penalised model with the true error of each step in place of an uncertainty.

It exists only where a simulator can be set to an observation, and is no offline method: it is the bound that
uncertainties are read against. Every imagined step costs one of the simulator, on one core: some thousands a
second, see docs/studies.md.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from offline_envs import register_method
from offline_envs.data import Transitions
from offline_envs.dynamics import DELTA, DynamicsModel, Prediction, generator_for
from offline_envs.errors import SettingsError
from offline_envs.mdp import Step
from offline_envs.methods import RAW, Method, check_penalty_scale, penalty_unit
from offline_envs.simulator import Simulator

ENV_ID = "TrueErrorModel-v0"
UNIT_ROWS = 1000
"""Rows of the dataset over which the mean error is measured, which `penalty_scale` counts in."""


@dataclass(frozen=True)
class TrueErrorPenalty(Method):
    """Rewards minus λ times the distance of the imagined next observation from the simulator's, ‖ŝ′ − s′‖₂.

    The simulator is deterministic, so the expectation of this distance is the Wasserstein distance between
    the model's next observation and the true one, for which MOPO's theory (Yu et al. 2020, section 4.1) has
    its guarantee if values are Lipschitz. The reward is left out, as in the paper's ensemble penalty.

    Attributes:
        penalty_coef: λ, in units of reward per unit of the observations.
        penalty_scale: `"raw"`, or what λ counts in: `"data"` for the mean error of the model's samples on the
            dataset, `"reward"` for this mean over that of |reward|.

    Raises:
        SettingsError: A negative coefficient, or an unknown unit.
    """

    penalty_coef: float = 1.0
    penalty_scale: str = RAW

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.penalty_coef < 0:
            raise SettingsError(f"penalty_coef must be 0 or more, got {self.penalty_coef}.")
        check_penalty_scale(self.penalty_scale)

    def transform(
        self,
        model: DynamicsModel,
        transitions: Transitions,
        *,
        cache_dir: Path | str | None = None,
        progress: bool = True,
    ) -> "PenalizeTrueError":
        """Make the simulator and the penalty.

        Raises:
            SettingsError: A GPU, or a dataset whose simulator cannot be set to an observation.
        """
        del cache_dir, progress  # Unused.
        if model.device.type != "cpu":
            raise SettingsError(f"{ENV_ID} steps a simulator on the CPU, got device {model.device}.")
        truth = Truth.of(transitions)
        mean = partial(_mean_error, truth, model, transitions)
        unit = penalty_unit(self.penalty_scale, mean, transitions)
        return PenalizeTrueError(self.penalty_coef / unit, truth)


@dataclass(frozen=True)
class Truth:
    """What really happens, asked of the simulator.

    Attributes:
        simulator: The simulator.
        largest: Distance to which errors are cut: the diameter of the box of the dataset's observations. An
            imagined state of the simulator may be impossible, and then fly apart.
    """

    simulator: Simulator
    largest: float

    @classmethod
    def of(cls, transitions: Transitions) -> "Truth":
        """Make the simulator of a dataset."""
        box = transitions.obs.amax(dim=0) - transitions.obs.amin(dim=0)
        return cls(Simulator.of(transitions), float(torch.linalg.vector_norm(box)))

    def error(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """‖next_obs − s′‖₂ with the simulator's s′, row by row.

        Args:
            obs: Observations, float32 `(B, d)`. Where velocities were clipped the simulator starts from the
                clipped ones.
            action: Actions, `(B, k)`.
            next_obs: Imagined next observations, `(B, d)`.

        Returns:
            `(B,)`, finite.
        """
        distance: Tensor = torch.linalg.vector_norm(next_obs - self.after(obs, action), dim=1)
        return distance.nan_to_num(nan=self.largest).clamp(max=self.largest)

    def after(self, obs: Tensor, action: Tensor) -> Tensor:
        """The simulator's next observations, `(B, d)`."""
        return torch.stack([self._one_after(*pair) for pair in zip(obs, action, strict=True)])

    def _one_after(self, obs: Tensor, action: Tensor) -> Tensor:
        chosen = action.numpy()
        return torch.from_numpy(self.simulator.episode(obs.numpy(), lambda t, o: chosen, 1)[0][1])


@dataclass(frozen=True)
class PenalizeTrueError:
    """The change of a step: r̃ = r − λ ‖ŝ′ − s′‖₂.

    Attributes:
        coef: λ.
        truth: The simulator.
    """

    coef: float
    truth: Truth

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Subtract the penalty from the reward, but not where the reward was replaced."""
        del prediction, generator  # Unused.
        error = self.truth.error(obs, action, step.next_obs)
        penalty = (self.coef * error).masked_fill(step.replaced, 0.0)
        return step._replace(reward=step.reward - penalty, penalty=step.penalty + penalty)

    def infos(self, step: Step) -> dict[str, Tensor]:
        """None: every learned MDP reports its penalty."""
        del step  # Unused.
        return {}


def _mean_error(truth: Truth, model: DynamicsModel, transitions: Transitions) -> float:
    """Mean distance of one sample of each elite from the truth, over rows of the dataset."""
    generator = generator_for(0)
    rows = torch.randperm(len(transitions), generator=generator)[:UNIT_ROWS]
    obs, action = transitions.obs[rows], transitions.actions[rows]
    found = model.predict(obs, action, model.elites)
    samples = found.mean + found.std * torch.randn(found.mean.shape, generator=generator)
    missed = obs + samples[..., DELTA] - truth.after(obs, action)
    return float(torch.linalg.vector_norm(missed, dim=-1).mean())


register_method(ENV_ID, f"{__name__}:TrueErrorPenalty", max_episode_steps=5)

"""`Consistent`: MOREC's filter of steps by a dynamics reward (Luo et al. 2024)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from offline_envs.consistency import DiscriminatorSettings, DynamicsReward, fitted_dynamics_reward
from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel, ModelShape, Prediction
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp import Members, Step, Transform
from offline_envs.methods.base import Method
from offline_envs.methods.candidates import SELECTIONS, CandidateSampler, Score
from offline_envs.methods.filter_counter import DYNAMICS_REWARD, FilterCounter
from offline_envs.methods.in_turn import InTurn
from offline_envs.methods.penalty import Penalty

ENDS: Mapping[str, str] = MappingProxyType({"truncate": "truncated", "terminate": "terminated"})
"""What a step below the threshold does, by the names that `on_inconsistent` takes: the flag that it sets."""


@dataclass(frozen=True)
class Consistent(Method):
    """Steps chosen among candidates by their dynamics reward, and an end where even the chosen one is low.

    Luo et al. 2024 (MOREC), section 4. The dynamics reward of the model and its dataset is trained when the
    environment is first made, and then cached, see `offline_envs.consistency.fitted_dynamics_reward`. With
    `penalty_coef`, rewards are also those of MOPO's penalised MDP, as in MOREC-MOPO.

    In the paper a rollout stops below the threshold, so its value is bootstrapped from there; that is the
    default. The release stores the step as a terminal one, of value 0 from there on, which
    `on_inconsistent="terminate"` does. Either way the agent is given the step that ended the rollout.

    Attributes:
        penalty_coef: λ of a penalty on uncertainty, see `Penalty`, as for the other three; 0 for none.
        n_samples: Candidates that are drawn from each elite.
        selection: How one is chosen: `"softmax"` of the dynamics rewards, or `"argmax"`.
        temperature: κ of the softmax, in units of the dynamics reward.
        min_dynamics_reward: Dynamics reward below which a rollout ends; 0 for never, since it lies between
            0.313 and 1.313.
        on_inconsistent: What such a step does: `"truncate"` (the paper) or `"terminate"` (the release).
        discriminator: Settings of the discriminators by name, see `DiscriminatorSettings`.

    Raises:
        SettingsError: An unknown name, or a number out of range.
    """

    compares_samples: ClassVar[bool] = True

    penalty_coef: float = 0.0
    penalty: str = Penalty.penalty
    penalty_members: str = Penalty.penalty_members
    penalty_scale: str = Penalty.penalty_scale
    n_samples: int = 2
    selection: str = "softmax"
    temperature: float = 0.1
    min_dynamics_reward: float = 0.6
    on_inconsistent: str = "truncate"
    discriminator: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._penalty()
        if self.n_samples < 1:
            raise SettingsError(f"n_samples must be at least 1, got {self.n_samples}.")
        SELECTIONS.find(self.selection)
        if self.temperature <= 0:
            raise SettingsError(
                f"temperature must be above 0, got {self.temperature}. For the candidate of the highest "
                "dynamics reward use selection='argmax'."
            )
        if self.on_inconsistent not in ENDS:
            raise unknown_name("on_inconsistent", self.on_inconsistent, ENDS)
        DiscriminatorSettings.from_json(self.discriminator or {})

    @property
    def members(self) -> str:
        """The members that are measured, or the elites if there is no penalty."""
        return self.penalty_members if self.penalty_coef else "elites"

    def check(self, shape: ModelShape) -> None:
        """Refuse a measure that would be zero everywhere for these members, if there is a penalty.

        Raises:
            SettingsError: Such a measure.
        """
        if self.penalty_coef:
            self._penalty().check(shape)

    def check_data(self, transitions: Transitions) -> None:
        """Refuse rewards that cannot be the unit of λ, if there is a penalty.

        Raises:
            SettingsError: They set the unit, and all of them are 0.
        """
        if self.penalty_coef:
            self._penalty().check_data(transitions)

    def dynamics_reward(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> DynamicsReward:
        """The dynamics reward of a model: one object for all who ask, see `fitted_dynamics_reward`."""
        settings = DiscriminatorSettings.from_json(self.discriminator or {})
        return fitted_dynamics_reward(model, transitions, settings, cache_dir=cache_dir, progress=progress)

    def sampler(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> CandidateSampler:
        """Draw candidates and choose among them by the dynamics reward."""
        reward = self.dynamics_reward(model, transitions, cache_dir=cache_dir, progress=progress)
        elites = Members.of(model, self.members).elites
        return CandidateSampler(reward, elites, self.n_samples, SELECTIONS[self.selection], self.temperature)

    def transform(
        self, model: DynamicsModel, transitions: Transitions, *, cache_dir: Path | str | None, progress: bool
    ) -> Transform:
        """End the rollout where the chosen step is inconsistent, after the penalty if there is one."""
        reward = self.dynamics_reward(model, transitions, cache_dir=cache_dir, progress=progress)
        end = EndInconsistent(reward, self.min_dynamics_reward, ENDS[self.on_inconsistent])
        if not self.penalty_coef:
            return end
        penalty = self._penalty().transform(model, transitions, cache_dir=cache_dir, progress=progress)
        return InTurn((penalty, end))

    def monitor(self, n: int, device: torch.device) -> FilterCounter:
        """Count the episodes that the filter ends, and warn if hardly a step passes."""
        return FilterCounter(n, device, self.min_dynamics_reward)

    def _penalty(self) -> Penalty:
        return Penalty(self.penalty_coef, self.penalty, self.penalty_members, self.penalty_scale)


@dataclass(frozen=True)
class EndInconsistent:
    """Ends rollouts at steps whose dynamics reward is low, and reports it.

    Attributes:
        reward: The dynamics reward.
        least: Dynamics reward below which a rollout ends.
        flag: Field of `Step` that is set there: `"truncated"` or `"terminated"`.
    """

    reward: Score
    least: float
    flag: str

    def __call__(
        self, obs: Tensor, action: Tensor, step: Step, prediction: Prediction, generator: torch.Generator
    ) -> Step:
        """Set the flag of the inconsistent rows; their rewards stay as they are.

        A row that has ended is left alone; an exploded one's successor is its own observation.
        """
        del prediction, generator  # Unused.
        found = self.reward(obs, action, step.next_obs)
        ended = (found < self.least) & ~step.exploded & ~step.terminated
        changes: dict[str, Any] = {self.flag: getattr(step, self.flag) | ended}
        return step._replace(**changes, extras={**step.extras, DYNAMICS_REWARD: found})

    def infos(self, step: Step) -> dict[str, Tensor]:
        """The dynamics reward, `(B,)`."""
        return {DYNAMICS_REWARD: step.extras[DYNAMICS_REWARD]}

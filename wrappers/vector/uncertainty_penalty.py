"""`UncertaintyPenalty` for vector environments."""

from pathlib import Path
from typing import Any

from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from torch import Tensor

from offline_envs.data import DatasetSource
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs import without_reset_rows, zero_rows
from offline_envs.mdp import PENALTY, RAW_REWARD
from offline_envs.methods import Penalty
from offline_envs.settings import check_arguments
from offline_envs.wrappers.penalty_meter import PenaltyMeter
from offline_envs.wrappers.rows import like, many_rows
from offline_envs.wrappers.vector.reported import check_reported


class UncertaintyPenalty(VectorWrapper):
    """Subtract λ·u(obs, action) from the reward of every row; see `offline_envs.wrappers.UncertaintyPenalty`.

    Works in every autoreset mode and with arrays or tensors. Rows that restart at this step (next-step
    mode) are not penalised.

    Args:
        env: The vector environment, with flat Box observations and actions.
        penalty_coef: λ, in units of reward per unit of uncertainty.
        penalty: Name of the measure, see `offline_envs.dynamics.MEASURES`.
        model: Folder of a fitted ensemble, or the ensemble; a learned environment brings its own.
        penalty_members: Members that are measured, `"all"` or `"elites"`.
        penalty_scale: `"raw"`, or to count λ in the measure's mean over the dataset (`"data"`), or in shares
            of its mean |reward| (`"reward"`), see `Penalty`.
        dataset: The dataset that sets this unit; a learned environment brings its own.
        cache_dir: Folder of fitted models, and of these units, instead of the user's cache.
        step_infos: Whether `infos` has `raw_reward` and `penalty`, `(n,)` each.

    Attributes:
        step_infos: See above.

    Raises:
        SettingsError: An unknown name, a negative coefficient, no model or data to measure uncertainty, or
            `step_infos` around an environment that changes rewards and has none.
    """

    @check_arguments
    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        penalty_coef: float = Penalty.penalty_coef,
        *,
        penalty: str = Penalty.penalty,
        model: str | Path | DynamicsModel | None = None,
        penalty_members: str = Penalty.penalty_members,
        penalty_scale: str = Penalty.penalty_scale,
        dataset: DatasetSource | None = None,
        cache_dir: str | Path | None = None,
        step_infos: bool = False,
    ) -> None:
        super().__init__(env)
        if step_infos:
            check_reported(env)
        self._meter = PenaltyMeter.for_env(
            env,
            env.single_observation_space,
            env.single_action_space,
            model=model,
            dataset=dataset,
            cache_dir=cache_dir,
            method=Penalty(penalty_coef, penalty, penalty_members, penalty_scale),
        )
        self.step_infos = step_infos
        self._next_step = env.metadata.get("autoreset_mode") == AutoresetMode.NEXT_STEP
        self._obs: Tensor | None = None
        self._restarting: Any = None

    @property
    def autoreset_mode(self) -> Any:
        """The autoreset mode of the environment, which TorchRL reads as an attribute."""
        return self.env.metadata.get("autoreset_mode")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and remember its first observations."""
        restarting = without_reset_rows(self._restarting, options)  # before Gymnasium pops the mask
        obs, infos = self.env.reset(seed=seed, options=options)
        self._obs, self._restarting = many_rows(obs, self.env.single_observation_space), restarting
        return obs, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment and penalise its rewards."""
        before, restarting, action_rows = (
            self._obs,
            self._restarting,
            many_rows(actions, self.env.single_action_space),
        )
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        if before is None:
            raise ResetNeeded("Call reset() of the wrapper before step().")
        penalty = like(self._meter(before, action_rows), rewards)
        if restarting is not None:
            penalty = zero_rows(penalty, restarting)
        self._obs = many_rows(obs, self.env.single_observation_space)
        self._restarting = terminations | truncations if self._next_step else None
        if self.step_infos:
            infos = {
                **infos,
                RAW_REWARD: infos.get(RAW_REWARD, rewards),
                PENALTY: infos.get(PENALTY, 0.0) + penalty,
            }
        return obs, rewards - penalty, terminations, truncations, infos

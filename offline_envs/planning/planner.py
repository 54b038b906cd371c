"""`Planner`: base of policies that plan in a learned MDP at every step."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import flatten_obs
from offline_envs.errors import SettingsError
from offline_envs.mdp import LearnedMDP
from offline_envs.planning.objective import TerminalValue
from offline_envs.planning.settings import PlannerSettings
from offline_envs.policies import ActsIn, TensorPolicy


class Decision(NamedTuple):
    """What a planner does now in each of n environments, and what it remembers."""

    action: Tensor  # (n, k)
    memory: Tensor  # (n, M, H, k), plans that begin with this step; the first is the one to continue


class Planner(TensorPolicy):
    """A policy that plans H steps ahead in a learned MDP, takes the first action, and plans again.

    Model-predictive control. `predict` gives its memory as the second value, as recurrent policies of
    Stable-Baselines3 give their state: passed back, it is shifted by the step that was taken and the next
    plan begins there (a warm start). Without a state every decision begins afresh, so a planner is also a
    plain function of observations. A subclass writes `improve`.

    Args:
        mdp: The learned MDP, on any device; its method counts, see `Objective`.
        action_space: The actions; plans stay within it.
        settings: Settings of the class's `settings_type`; None means their defaults.
        seed: Seed of the planner's random numbers, which continue from decision to decision.
        terminal_value: What is still to come after a plan, see `Objective`.

    Attributes:
        settings_type: Class of the settings.
        n_remembered: Number of plans in the memory, M.
        obs_space: Observations by name that `predict` takes besides columns, those of the environment of
            `plan_in`; None means columns only.
        settings: The settings.
        mdp: The MDP.
        low: Lower bounds of the actions, float32 `(k,)`, on the model's device.
        high: Upper bounds.
        middle: Their middle, which a fresh plan consists of.
        terminal_value: See above.
        generator: The source of randomness.

    Raises:
        SettingsError: Actions that are not bounded or not those of the model, or settings of another class.
    """

    settings_type: ClassVar[type[PlannerSettings]] = PlannerSettings
    n_remembered: int = 1
    obs_space: Dict | None = None

    def __init__(
        self,
        mdp: LearnedMDP,
        action_space: Box,
        settings: PlannerSettings | None = None,
        *,
        seed: int = 0,
        terminal_value: TerminalValue | None = None,
    ) -> None:
        model = mdp.members.model
        if not action_space.is_bounded() or action_space.shape != (model.action_dim,):
            raise SettingsError(
                f"A planner needs a bounded Box of {model.action_dim} actions, got {action_space}."
            )
        self.settings = self.settings_type() if settings is None else settings
        if not isinstance(self.settings, self.settings_type):
            raise SettingsError(
                f"{type(self).__name__} takes {self.settings_type.__name__}, got {self.settings!r}."
            )
        self.mdp, self.terminal_value = mdp, terminal_value
        self.device = mdp.members.elites.device
        self.low, self.high = (
            torch.as_tensor(bound, dtype=torch.float32, device=self.device)
            for bound in (action_space.low, action_space.high)
        )
        self.middle = (self.low + self.high) / 2
        self.generator = torch.Generator(self.device).manual_seed(seed)

    @classmethod
    def chosen(cls, settings: Mapping[str, Any]) -> PlannerSettings:
        """The settings of a text such as `"cem:horizon=25"`.

        Raises:
            SettingsError: Settings that are not valid.
        """
        return cls.settings_type.from_json(settings)

    @classmethod
    def builds_on(cls, settings: Mapping[str, Any]) -> str | None:
        """The policy on which a planner of a text builds, as the text names it.

        Args:
            settings: The settings of the text.

        Returns:
            Its text or file, empty if it is needed but not named; None if the planner builds on none.

        Raises:
            SettingsError: Settings about that policy that are not valid.
        """
        del settings  # no setting of this class names a policy
        return None

    @classmethod
    def from_settings(cls, where: ActsIn, settings: Mapping[str, Any]) -> Self:
        """Make the planner of a text; see `chosen`.

        Args:
            where: Context that it acts in, with a learned MDP.
            settings: The settings of the text.
        """
        return cls(where.mdp, where.box(), cls.chosen(settings), seed=where.seed)

    def improve(self, obs: Tensor, memory: Tensor) -> Decision:
        """Plan from a batch of observations; called without gradients.

        Args:
            obs: Observations, float32 `(n, d)`.
            memory: The plans to begin with, `(n, M, H, k)`: those of the last decision, shifted, or fresh
                ones. A plan of NaN is none; the first is always one.
        """
        raise NotImplementedError

    def appended(self, last: Tensor) -> Tensor:
        """The action after the last one of a plan, `(n, M, k)`: the middle of the bounds (PETS's release).

        Args:
            last: The last action of each plan, `(n, M, k)`.
        """
        return self.middle.expand_as(last)

    def __call__(self, obs: Tensor, /) -> Tensor:
        """See `Policy`; every decision begins afresh."""
        return self._decide(obs, self.fresh(len(obs))).action

    def predict(
        self,
        observation: NDArray[Any] | Mapping[str, Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float32], Tensor]:
        """Plan from one observation `(d,)` or a batch `(n, d)`; see Stable-Baselines3.

        Args:
            observation: The observation or observations, or arrays by name, see `obs_space`.
            state: The second value of the last call, for the same environments; None to begin afresh.
            episode_start: Environments that have begun an episode since, bool `(n,)`; they begin afresh.
            deterministic: Has no effect: there is one way to plan, which samples.

        Returns:
            Actions `(k,)` or `(n, k)`, and the state for the next call.

        Raises:
            SettingsError: Observations of another shape or by other names, or not finite, or a state or
                starts of other rows.
        """
        del deterministic  # Unused.
        given = self._columns(observation)
        rows = given if given.ndim > 1 else given[None]
        obs_dim = self.mdp.members.model.obs_dim
        if rows.ndim != 2 or rows.shape[1] != obs_dim or not np.isfinite(rows).all():
            raise SettingsError(
                f"A planner needs finite observations of shape ({obs_dim},) or (n, {obs_dim}), "
                f"got {observation!r}."
            )
        memory = self._recalled(state, episode_start, len(rows))
        decision = self._decide(torch.as_tensor(rows.copy(), device=self.device), memory)
        actions = decision.action.cpu().numpy()
        return (actions if given.ndim > 1 else actions[0]), decision.memory

    def fresh(self, n: int) -> Tensor:
        """The memory of n environments that have just begun: the middle of the bounds, and no other plan."""
        shape = (n, self.n_remembered, self.settings.horizon, len(self.low))
        memory = torch.full(shape, torch.nan, device=self.device)
        memory[:, 0] = self.middle
        return memory

    def shifted(self, memory: Tensor) -> Tensor:
        """The plans `(n, M, H, k)` one step later."""
        return torch.cat([memory[:, :, 1:], self.appended(memory[:, :, -1])[:, :, None]], dim=2)

    def _columns(self, observation: NDArray[Any] | Mapping[str, Any]) -> NDArray[np.float32]:
        if not isinstance(observation, Mapping):
            return np.asarray(observation, np.float32)
        if self.obs_space is None:
            raise SettingsError(
                f"This planner takes observations of one array, got them by name: {', '.join(observation)}. "
                "Make it by plan_in in a learned environment of such observations, or flatten them: "
                "offline_envs.data.with_flat_obs(env)."
            )
        return _flat(self.obs_space, observation)

    def _recalled(self, state: Any, episode_start: Any, n: int) -> Tensor:
        fresh = self.fresh(n)
        if state is None:
            return fresh
        if not isinstance(state, Tensor) or state.shape != fresh.shape:
            got = tuple(state.shape) if isinstance(state, Tensor) else type(state).__name__
            raise SettingsError(
                f"state must be what predict gave for the same {n} environments, of shape "
                f"{tuple(fresh.shape)}, got {got}. Pass None to begin afresh."
            )
        if episode_start is None:
            return self.shifted(state)
        began = torch.as_tensor(np.asarray(episode_start, bool).reshape(-1), device=self.device)
        if began.shape != (n,):
            raise SettingsError(f"episode_start must have shape ({n},), got {tuple(began.shape)}.")
        return torch.where(began[:, None, None, None], fresh, self.shifted(state))

    @torch.no_grad()
    def _decide(self, obs: Tensor, memory: Tensor) -> Decision:
        action, memory = self.improve(obs, memory)
        return Decision(action.clamp(self.low, self.high), memory)


def _flat(space: Dict, observation: Mapping[str, Any]) -> NDArray[np.float32]:
    """One observation by name as columns `(d,)`, or a batch as `(n, d)`."""
    parts = {name: np.asarray(observation[name], np.float32) for name in space.spaces if name in observation}
    shapes = {name: part.shape for name, part in parts.items()}
    needed = {name: part.shape or () for name, part in space.spaces.items()}
    for rows in ((), next(iter(shapes.values()), ())[:1]):
        if shapes == {name: (*rows, *shape) for name, shape in needed.items()}:
            return np.asarray(flatten_obs(space, parts, rows))
    raise SettingsError(
        f"This planner takes observations by name of the shapes {needed}, or (n, ...) each, got {shapes}."
    )

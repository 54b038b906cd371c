"""`Imitator`: an agent's policy learns to act as an expert does, where it gets itself (DAgger)."""

import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.envs import LearnedVectorEnv, rollout
from offline_envs.errors import SettingsError
from offline_envs.policies import Policy, as_policy
from offline_envs.sb3.cloning import BehaviorCloner, draw_holdout
from offline_envs.settings import check_arguments, check_seed


class Imitator:
    """Imitates an expert, such as a planner, inside a learned environment; no real step is taken.

    DAgger (Ross, Gordon and Bagnell 2011): in the first round the expert acts, and its observations and
    actions are the data; in every further round the agent acts, and the expert says what it would have done.
    After each round the agent's policy is fitted to all data so far. Nagabandi et al. 2018 (MBMF) begin
    model-free learning like this; their rounds take place in the real environment.

    Args:
        agent: The agent, whose policy is changed in place.
        expert: The expert, without memory: a planner begins every decision afresh.
        within: Environment of `gym.make_vec` with a learned model, which lends its model, method and starts.
        rows: Episodes that are followed together.
        horizon: Steps of each; a round labels `rows * horizon` observations.
        epochs: Epochs of the fit after a round.
        loss: Loss of the fit, see `BehaviorCloner`.
        seed: Seed of start states, the model's noise and the fits.

    Attributes:
        rounds: Number of rounds so far.

    Raises:
        SettingsError: A number below 1, or an environment without a learned model.
    """

    @check_arguments
    def __init__(
        self,
        agent: BaseAlgorithm,
        expert: Policy,
        *,
        within: VectorEnv,
        rows: int = 100,
        horizon: int = 10,
        epochs: int = 20,
        loss: str = "mean",
        seed: int = 0,
    ) -> None:
        for name, number in (("rows", rows), ("horizon", horizon), ("epochs", epochs)):
            if number < 1:
                raise SettingsError(f"{name} must be at least 1, got {number}.")
        check_seed(seed)
        if not isinstance(within.unwrapped, LearnedVectorEnv):
            raise SettingsError(f"Imitation takes place in a learned environment, got {within.unwrapped}.")
        self.rounds = 0
        self._agent, self._expert, self._within = agent, expert, within
        self._rows, self._horizon, self._epochs = rows, horizon, epochs
        self._loss, self._seed = loss, seed
        self._transitions = within.unwrapped.transitions
        self._obs: list[Tensor] = []
        self._actions: list[Tensor] = []
        self._holdout = torch.zeros(0, dtype=torch.int64)
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def demonstrations(self) -> Transitions:
        """Observations and the expert's actions so far; all else about these steps is empty.

        Raises:
            SettingsError: There was no round.
        """
        if not self._obs:
            raise SettingsError("There are no demonstrations before the first round.")
        obs, actions = torch.cat(self._obs), torch.cat(self._actions)
        return Transitions(
            obs=obs,
            actions=actions,
            rewards=torch.zeros(len(obs)),
            next_obs=obs,
            terminated=torch.zeros(len(obs), dtype=torch.bool),
            episode_starts=torch.arange(len(obs)),
            action_space=self._transitions.action_space,
            source="demonstrations",
            discrete_actions=self._transitions.discrete_actions,
        )

    def round(self) -> float:
        """Gather demonstrations where expert or agent get, and fit the agent to all.

        Returns:
            Mean squared distance to the expert's actions on demonstrations that were held out in all rounds,
            see `BehaviorCloner.error`.
        """
        acting = self._expert if self.rounds == 0 else as_policy(self._agent, self._transitions.agent_spaces)
        seed = self._seed + self.rounds
        found = rollout(acting, self._rows, self._horizon, within=self._within, seed=seed)
        actions = found.action if self.rounds == 0 else self._labelled(found.obs)
        self._gather(found.obs.flatten(0, 1).cpu(), actions.flatten(0, 1).cpu())
        self.rounds += 1
        cloner = BehaviorCloner(
            self._agent, self.demonstrations, loss=self._loss, seed=seed, holdout=self._holdout
        )
        cloner.train(self._epochs * cloner.steps_per_epoch)
        return cloner.error()

    def _gather(self, obs: Tensor, actions: Tensor) -> None:
        """Keep a round's demonstrations, some of them out of all fits: each resumes from the last."""
        held, _ = draw_holdout(len(obs), self._generator)
        self._holdout = torch.cat([self._holdout, held + sum(map(len, self._obs))])
        self._obs.append(obs)
        self._actions.append(actions)

    @torch.no_grad()
    def _labelled(self, obs: Tensor) -> Tensor:
        """What the expert does at `(h, n, d)`, as many rows at a time as in a rollout."""
        return torch.stack([self._expert(step).float() for step in obs])

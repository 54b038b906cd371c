"""`with_device_rollouts`: any off-policy SB3 agent, collecting its transitions without leaving the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

import numpy as np
from gymnasium.spaces import Box
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import RolloutReturn, TrainFreq
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.distributions import Distribution

from offline_envs.envs import Rollout, imagine, learned_under
from offline_envs.policies import Policy
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.buffers.rows import action_bounds, between
from offline_envs.sb3.rollouts import policy_graph
from offline_envs.sb3.rollouts.device_support import check_on_device, device_envs
from offline_envs.sb3.rollouts.mixin import Agent, ChoosesRolloutActions, uniform_actions, with_mixin
from offline_envs.sb3.rollouts.policy_graph import PolicyGraph
from offline_envs.sb3.vec_env.host_copy import host_obs
from offline_envs.settings import check_arguments


@check_arguments
def with_device_rollouts(agent: type[Agent]) -> type[Agent]:
    """Return an agent class whose transitions stay on the device from model to buffer, a cycle at a time.

    It steps the same environment, whose rows continue from cycle to cycle, as often as the plain agent does:
    `train_freq` steps, then `gradient_steps`. From the same seed it draws the same random numbers, so its
    buffer holds the plain agent's transitions up to rounding; only the uniform actions before
    `learning_starts`, and those of `with_uniform_rollouts`, come from torch's generator here, which SB3 seeds
    too. After a callback has stopped a cycle, further learning starts from the environment's current state,
    where SB3 starts from the step before. The host waits for a GPU a few times a cycle, not at
    every step.

    What it needs is checked before any work: `SB3VecEnv` around `gym.make_vec(..., output="torch")` with a
    learned model, bare or in our `UncertaintyPenalty` and `HaltOnUnknown`; `MixedReplayBuffer`; all on the
    agent's device. It does not fall back to the host, which would be silently slow: for a real environment,
    `VecNormalize`, exploration noise or gSDE use the plain agent.

    A custom vector wrapper that leaves observations and actions as they are, and tensors on their device, is
    accepted if its class sets `on_device = True`, which subclasses do not inherit. An agent with its own
    `_sample_action` is accepted if it defines `rollout_actions` too, see `ChoosesRolloutActions`.

    Callbacks are called as usual, `on_step` after each step of all rows; the step at which one returns False
    is not stored. Their locals hold `transition`, a step's `Rollout` on the device, in place of `infos`,
    `rewards` and `dones`. The buffer is filled at the end of the cycle. Returns of imagined episodes are not
    summed, so `rollout/ep_rew_mean` is not logged; `log_interval` counts finished episodes as usual, and
    logs at most once a cycle.

    Like `with_uniform_rollouts`, with which it combines in either order, it adds nothing to what SB3 saves.

    Args:
        agent: SAC, FastSAC, TD3, DDPG, TQC, CrossQ, or any other off-policy agent whose policy squashes its
            actions.

    Returns:
        A subclass of `agent`, the same one at each call. Its constructor and `learn` raise a `SettingsError`
        if a requirement above is not met.

    Raises:
        SettingsError: An agent that does not learn from a replay buffer.

    Example:
        >>> import gymnasium as gym
        >>> from offline_envs.sb3 import FastSAC, SB3VecEnv
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> envs = gym.make_vec(
        ...     "PenalizedModel-v0", 100, dataset=demo, output="torch", fit={"max_epochs": 1}, progress=False
        ... )
        >>> agent = with_device_rollouts(FastSAC)(
        ...     "MlpPolicy", SB3VecEnv(envs), train_freq=5, learning_starts=0, device="cpu",
        ...     replay_buffer_class=MixedReplayBuffer, replay_buffer_kwargs={"dataset": demo},
        ... )
        >>> agent.learn(1000).replay_buffer.model_size
        1000
    """
    refusal = (
        "Rollouts on the device need an agent that learns from a replay buffer, such as SAC, TD3, DDPG, "
        f"TQC or CrossQ, got {agent.__name__}."
    )
    return with_mixin(DeviceRollouts, agent, refusal=refusal)


class DeviceRollouts(OffPolicyAlgorithm):
    """The methods that `with_device_rollouts` puts before an agent's own."""

    _policy_graph: PolicyGraph | None = None

    def _setup_model(self) -> None:
        super()._setup_model()
        if self.env is not None:  # None for an agent that is loaded only to predict
            check_on_device(self)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        check_on_device(self)  # the environment may be another one by now
        return super()._setup_learn(*args, **kwargs)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        train_freq: TrainFreq,
        replay_buffer: ReplayBuffer,
        action_noise: ActionNoise | None = None,
        learning_starts: int = 0,
        log_interval: int | None = None,
    ) -> RolloutReturn:
        """Collect a cycle of transitions; see `OffPolicyAlgorithm.collect_rollouts`.

        Args:
            env: The environment.
            callback: Called at the start, after each step of all rows, and at the end.
            train_freq: Number of steps.
            replay_buffer: Where the transitions go, also those of a cycle that is interrupted.
            action_noise: None.
            learning_starts: Transitions before which actions are uniform.
            log_interval: Finished episodes between logs.
        """
        del action_noise  # refused
        assert isinstance(replay_buffer, MixedReplayBuffer)
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        envs, steps = device_envs(env), list[Rollout]()
        episodes_before = self._episode_num
        try:
            for transition in islice(imagine(self._explorer(learning_starts), envs), train_freq.frequency):
                self.num_timesteps += env.num_envs
                callback.update_locals(locals())
                if not callback.on_step():
                    return RolloutReturn((len(steps) + 1) * env.num_envs, 0, continue_training=False)
                steps.append(transition)
                self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
                self._on_step()
        finally:
            self._store(steps, replay_buffer)
            self._last_obs = host_obs(learned_under(envs).obs, np.float32)
        n_episodes = self._episode_num - episodes_before
        if log_interval is not None and self._episode_num % log_interval < n_episodes:
            self.dump_logs()
        callback.on_rollout_end()
        return RolloutReturn(len(steps) * env.num_envs, n_episodes, continue_training=True)

    def _explorer(self, learning_starts: int) -> Policy:
        """Return the policy by which the agent acts while it learns, in the environment's units."""
        low, high = action_bounds(cast(Box, self.action_space), self.device)
        chooser = self if isinstance(self, ChoosesRolloutActions) else None
        self._refresh_policy_graph()

        def choose(obs: Tensor) -> Tensor:
            if chooser is not None:
                return chooser.rollout_actions(obs, learning_starts)
            if self.num_timesteps < learning_starts:
                return uniform_actions(len(obs), len(low), self.device)
            return self._random_actions(obs)

        def act(obs: Tensor) -> Tensor:
            with unchecked_distributions():
                return between(choose(obs), low, high)

        return act

    def _random_actions(self, obs: Tensor) -> Tensor:
        """What the policy does at observations, drawn from its distribution, in [-1, 1]."""
        return self.policy._predict(obs) if self._policy_graph is None else self._policy_graph(obs)

    def _refresh_policy_graph(self) -> None:
        """Make a graph on a CUDA device, or another one where the weights have moved in memory."""
        if policy_graph.captures(self.policy) and not (
            self._policy_graph is not None and self._policy_graph.fits(self.policy)
        ):
            self._policy_graph = PolicyGraph(self.policy)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_policy_graph"]

    def _store(self, steps: list[Rollout], replay_buffer: MixedReplayBuffer) -> None:
        if steps:
            collected = Rollout.stack(steps)
            replay_buffer.add_rollout(collected)
            self._episode_num += int((collected.terminated | collected.truncated).sum())


@contextmanager
def unchecked_distributions() -> Iterator[None]:
    """Disable torch's check of the parameters of each distribution, which waits for a GPU."""
    checked = Distribution._validate_args  # there is no public getter
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(checked)

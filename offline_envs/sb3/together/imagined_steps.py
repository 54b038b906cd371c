"""`ImaginedSteps`: rollouts on the device as work that a group does."""

from collections.abc import Generator, Sequence

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import RolloutReturn
from torch import Tensor

from offline_envs.envs import Rollout, imagine, learned_under
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.rollouts.device_rollouts import DeviceRollouts
from offline_envs.sb3.rollouts.device_support import device_envs
from offline_envs.sb3.together.work import Call, Work
from offline_envs.sb3.vec_env.host_copy import host_obs

KIND = "an imagined step"


def can_be_joined(agent: OffPolicyAlgorithm) -> bool:
    """Whether an agent collects on the device, in an environment whose steps a graph may hold."""
    if not isinstance(agent, DeviceRollouts) or agent.env is None:
        return False
    return learned_under(device_envs(agent.env)).capture


class ImaginedSteps:
    """What `DeviceRollouts.collect_rollouts` does, with each step from policy to storage as one call.

    The one difference: a callback is called with each step once the whole cycle has been imagined. If it
    returns False, this and later steps are not stored, but the environment has taken them.

    Args:
        agent: An agent that `can_be_joined`.
    """

    def __init__(self, agent: OffPolicyAlgorithm) -> None:
        assert isinstance(agent, DeviceRollouts)
        assert agent.env is not None
        assert isinstance(agent.replay_buffer, MixedReplayBuffer)
        self._agent, self._buffer = agent, agent.replay_buffer
        self._envs = device_envs(agent.env)
        self._learned = learned_under(self._envs)
        self._act = agent._explorer(agent.learning_starts)
        self._cycle: Rollout | None = None
        self._places = torch.empty(0, 1, dtype=torch.int64)

    def take(self, n_steps: int, callback: BaseCallback) -> Generator[Work, None, RolloutReturn]:
        """Collect a cycle of transitions.

        Args:
            n_steps: Steps of all rows, the same at each call.
            callback: Called at the start, with each step of all rows, and at the end.
        """
        agent = self._agent
        agent.policy.set_training_mode(False)
        callback.on_rollout_start()
        if len(self._places) != n_steps:
            self._places = torch.arange(n_steps, device=agent.device)[:, None]
            self._cycle = None
        calls = [Call(self._step, (place,)) for place in self._places]
        yield Work(KIND, calls, (self._learned.generator,))
        assert self._cycle is not None
        cycle = Rollout(*(part.clone() for part in self._cycle))  # which a callback may keep
        steps = [Rollout(*step) for step in zip(*cycle, strict=True)]
        stored = self._told(steps, callback)
        agent._store(steps[:stored], self._buffer)
        agent._last_obs = host_obs(self._learned.obs, np.float32)
        n_rows = agent.n_envs
        if stored < n_steps:
            return RolloutReturn((stored + 1) * n_rows, 0, continue_training=False)
        callback.on_rollout_end()
        return RolloutReturn(n_steps * n_rows, 0, continue_training=True)

    def _told(self, steps: Sequence[Rollout], callback: BaseCallback) -> int:
        """Tell the callback of each step; the number of steps to be stored."""
        agent = self._agent
        for number, transition in enumerate(steps):
            self._learned.look()
            agent.num_timesteps += agent.n_envs
            callback.update_locals({"self": agent, "transition": transition})
            if not callback.on_step():
                return number
            agent._update_current_progress_remaining(agent.num_timesteps, agent._total_timesteps)
            agent._on_step()
        return len(steps)

    def _step(self, place: Tensor) -> None:
        """Take a step of all rows, and keep it at its place in the cycle, int64 `(1,)`."""
        with self._learned.inlined():
            transition = next(imagine(self._act, self._envs))
        if self._cycle is None:
            n_steps = len(self._places)
            self._cycle = Rollout(*(part.new_zeros(n_steps, *part.shape) for part in transition))
        for kept, part in zip(self._cycle, transition, strict=True):
            kept.index_copy_(0, place, part[None])

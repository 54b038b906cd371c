"""Tianshou's SAC in learned environments.

Its vector environments are its own: one worker an episode, each a single environment, so no autoreset is
involved. The model is fitted or read once for all of them.

    python examples/integrations/with_tianshou.py
"""

import gymnasium as gym
import numpy as np
from known_world import ENV_ID, OPTIONS, check_rows
from tianshou.algorithm import SAC
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from tianshou.utils.torch_utils import policy_within_training_step


def agent(env: gym.Env) -> SAC:
    """A small SAC."""
    obs_shape, action_shape = env.observation_space.shape, env.action_space.shape
    actor = ContinuousActorProbabilistic(
        preprocess_net=Net(state_shape=obs_shape, hidden_sizes=(16,)),
        action_shape=action_shape,
        unbounded=True,
    )
    critics = [
        ContinuousCritic(
            preprocess_net=Net(
                state_shape=obs_shape, action_shape=action_shape, hidden_sizes=(16,), concat=True
            )
        )
        for _ in range(2)
    ]
    return SAC(
        policy=SACPolicy(actor=actor, action_space=env.action_space),
        policy_optim=AdamOptimizerFactory(),
        critic=critics[0],
        critic_optim=AdamOptimizerFactory(),
        critic2=critics[1],
        critic2_optim=AdamOptimizerFactory(),
    )


def main() -> None:
    """Collect with a policy that was trained a little, then look at every stored row."""

    def make() -> gym.Env:
        return gym.make(ENV_ID, max_episode_steps=5, **OPTIONS)

    envs, buffer = DummyVectorEnv([make] * 8), VectorReplayBuffer(1000, 8)
    learner = agent(make())
    collector = Collector[None](learner, envs, buffer)
    collector.reset()
    collector.collect(n_step=400)
    with policy_within_training_step(learner.policy):
        learner.update(buffer, sample_size=64)
    collector.collect(n_step=80)
    rows, _ = buffer.sample(0)
    check_rows("Tianshou", rows.obs, rows.obs_next, np.asarray(rows.done))


if __name__ == "__main__":
    main()

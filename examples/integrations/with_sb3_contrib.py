"""sb3-contrib's TQC in a learned environment, one batch and a stack of single environments.

python examples/integrations/with_sb3_contrib.py
"""

from typing import Any

import gymnasium as gym
from known_world import ENV_ID, OPTIONS, check_rows
from sb3_contrib import TQC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

from offline_envs.sb3 import SB3VecEnv

ROWS, HORIZON, STEPS = 8, 5, 60


def check(program: str, envs: VecEnv) -> None:
    """Train a little, then look at every row of the replay buffer."""
    agent = TQC("MlpPolicy", envs, seed=0, policy_kwargs={"net_arch": [16]}, buffer_size=10_000)
    agent.learn(ROWS * STEPS, log_interval=1000)
    buffer = agent.replay_buffer
    assert buffer is not None
    rows = slice(0, buffer.pos)
    obs, next_obs = buffer.observations[rows], buffer.next_observations[rows]
    flat = (-1, obs.shape[-1])
    check_rows(program, obs.reshape(flat), next_obs.reshape(flat), buffer.dones[rows].ravel() > 0)


def main() -> None:
    """Train in both kinds of environments."""
    limit: Any = {"max_episode_steps": HORIZON}
    check("TQC", SB3VecEnv(gym.make_vec(ENV_ID, num_envs=ROWS, **limit, **OPTIONS)))
    check("TQC, single environments", make_vec_env(ENV_ID, ROWS, env_kwargs={**limit, **OPTIONS}))


if __name__ == "__main__":
    main()

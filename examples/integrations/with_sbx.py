"""SBX (Stable-Baselines3 in JAX) in a learned environment, with MOPO's buffer.

`SB3VecEnv` takes an environment of `gym.make_vec` in any autoreset mode.

    python examples/integrations/with_sbx.py
"""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from known_world import ENV_ID, OPTIONS, check_rows
from sbx import SAC

from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, mopo_schedule

ROWS, HORIZON = 50, 5


class Recorded(MixedReplayBuffer):
    """MOPO's buffer, which keeps a note of the imagined rows that it is given."""

    rows: ClassVar[list[tuple[Any, ...]]] = []  # of the class, as SB3 makes the buffer

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: Any) -> None:
        """Note observations, their successors, and which rows ended."""
        self.rows.append((obs.copy(), next_obs.copy(), done.copy()))
        super().add(obs, next_obs, action, reward, done, infos)


def main() -> None:
    """Train as MOPO does, then look at every imagined row."""
    envs = gym.make_vec(ENV_ID, num_envs=ROWS, max_episode_steps=HORIZON, **OPTIONS)
    agent = SAC(
        "MlpPolicy",
        SB3VecEnv(envs),
        seed=0,
        policy_kwargs={"net_arch": [16]},
        replay_buffer_class=Recorded,
        replay_buffer_kwargs={"dataset": OPTIONS["dataset"], "real_ratio": 0.05},
        **mopo_schedule(ROWS, HORIZON),
    )
    agent.learn(4 * ROWS * HORIZON, log_interval=None)
    check_rows("SBX", *(np.concatenate(parts) for parts in zip(*Recorded.rows, strict=True)))


if __name__ == "__main__":
    main()

"""RLlib's PPO in a learned environment, all rows in one step of the model.

RLlib makes the environment itself, from its id and `env_config`. It reads next-step autoreset, the default.

    python examples/integrations/with_rllib.py
"""

import warnings

import gymnasium as gym
import numpy as np
from known_world import ENV_ID, OPTIONS, check_rows
from ray.rllib.algorithms.ppo import PPOConfig


def config(**changes: str) -> PPOConfig:
    """A small PPO with eight rows an environment runner."""
    return (
        PPOConfig()
        .environment(ENV_ID, env_config={**OPTIONS, "max_episode_steps": 5, **changes})
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=8,
            gym_env_vectorize_mode=gym.VectorizeMode.VECTOR_ENTRY_POINT,
        )
        .training(train_batch_size_per_learner=256, minibatch_size=64, num_epochs=1)
    )


def main() -> None:
    """Train once, then look at every row of the episodes that RLlib records."""
    agent = config().build_algo()
    print(agent.train()["env_runners"]["num_episodes"], "episodes")
    episodes = [e for e in agent.env_runner.sample(num_timesteps=400, explore=True) if e.is_done]
    obs = [episode.get_observations() for episode in episodes]
    ended = np.concatenate([np.arange(1, len(rows)) == len(rows) - 1 for rows in obs])
    check_rows(
        "RLlib",
        np.concatenate([rows[:-1] for rows in obs]),
        np.concatenate([rows[1:] for rows in obs]),
        ended,
    )
    agent.stop()

    wrong = config(autoreset_mode="SameStep").build_algo()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrong.env_runner.sample(num_timesteps=40, explore=True)
    assert any("autoreset_mode='SameStep'" in str(warning.message) for warning in caught)
    wrong.stop()


if __name__ == "__main__":
    main()

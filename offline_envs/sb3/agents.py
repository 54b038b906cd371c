"""The classes of the agents, imported on demand, and the number of gradient steps an agent has taken."""

from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs.agents import AGENTS


def agent_class(name: str) -> type[BaseAlgorithm]:
    """Import the agent of that name.

    Args:
        name: One of `AGENTS`, e.g. `"sac"`.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    return AGENTS.find(name).load()


def gradient_steps(agent: BaseAlgorithm) -> int:
    """Gradient steps that an agent has taken so far; for TRPO, steps of its policy; for PPO, epochs.

    Stable-Baselines3 counts them in `_n_updates` and has no public name for them. PPO's count grows by one an
    epoch, in which it takes a gradient step for each batch of its rollout.
    """
    return agent._n_updates

"""`adversarial_env_of`: the environment with the model under the wrappers of an agent's environment."""

from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, TimeLimit
from gymnasium.wrappers import vector as vector_wrappers
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecCheckNan, VecEnv, VecMonitor

from offline_envs.envs import MODES, LearnedEnv, LearnedVectorEnv, declares, learned_spaces
from offline_envs.errors import SettingsError
from offline_envs.methods import Adversarial
from offline_envs.sb3.vec_env.wrapped import wrapped_envs

TRANSPARENT_WRAPPERS: tuple[type, ...] = (
    *(Monitor, VecCheckNan, VecMonitor),
    *(OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, TimeLimit),
    vector_wrappers.RecordEpisodeStatistics,
    *MODES.values(),
)
"""Wrappers that pass observations, actions and rewards on unchanged.

A user's wrapper of either library is accepted if its class sets `transparent = True`. Subclasses do not
inherit this, as they may change more.
"""


def adversarial_env_of(vec_env: VecEnv) -> LearnedEnv | LearnedVectorEnv:
    """Find the environment with the model, if the agent sees it in the model's own units.

    The adversary compares rewards of the model with values of the agent, and asks the agent what it does at
    observations of the model: if a wrapper changed them, both would be silently wrong.

    Args:
        vec_env: The environment that the agent trains in.

    Raises:
        SettingsError: Another environment than a single `AdversarialModel-v0` or a batch of them, a wrapper
            that may change observations, actions or rewards, or other spaces than the model's.
    """
    wrapped = list(wrapped_envs(vec_env))
    env = wrapped.pop()
    if not isinstance(env, LearnedEnv | LearnedVectorEnv) or not isinstance(env.method, Adversarial):
        raise SettingsError(
            f"An adversary needs AdversarialModel-v0, whose model it may change, got {env}. Use "
            "SB3VecEnv(gym.make_vec('AdversarialModel-v0', num_envs=..., dataset=...))."
        )
    for layer in wrapped:
        if not isinstance(layer, TRANSPARENT_WRAPPERS) and not declares(layer, "transparent"):
            names = ", ".join(sorted({kind.__name__ for kind in TRANSPARENT_WRAPPERS}))
            raise SettingsError(
                "An adversary needs an agent that sees the model's own observations, actions and rewards, "
                f"but {type(layer).__name__} is in between. Train without it. These may stay: {names}, and "
                "those with a class attribute transparent = True."
            )
    spaces = (vec_env.observation_space, vec_env.action_space)
    for space, learned in zip(spaces, learned_spaces(env.transitions), strict=True):
        if space != learned:
            raise SettingsError(f"An adversary needs an agent with the model's {learned}, got {space}.")
    return env

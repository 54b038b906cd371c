"""`wrapped_envs`: the layers between an agent and its environment, of both libraries."""

from collections.abc import Iterator
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from offline_envs.envs import layers
from offline_envs.sb3.vec_env.sub_envs import HasSubEnvs
from offline_envs.sb3.vec_env.vec_env import SB3VecEnv


def wrapped_envs(vec_env: VecEnv) -> Iterator[Any]:
    """Yield wrappers of either library, outermost first, then the wrapped environment.

    Of several single environments side by side none is the wrapped one: then `vec_env` itself comes last.

    Args:
        vec_env: The environment that an agent trains in.
    """
    while isinstance(vec_env, VecEnvWrapper):
        yield vec_env
        vec_env = vec_env.venv
    env: Any = vec_env
    if isinstance(vec_env, SB3VecEnv):
        env = vec_env.env
    elif isinstance(vec_env, HasSubEnvs) and len(vec_env.envs) == 1:
        env = vec_env.envs[0]
    yield from layers(env)

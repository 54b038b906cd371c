"""`check_vector_env`: a checker of vector environments, which Gymnasium has for single ones only."""

from typing import Any

from gymnasium.vector import VectorEnv


def check_vector_env(env: VectorEnv[Any, Any, Any], *, n_steps: int = 100) -> None:
    """Raise if `env` breaks a rule of vector environments."""
    del env, n_steps

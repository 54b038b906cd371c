"""A learned environment whose every step is known, so that wrong rows show.

Its model is a function: the observation moves by -0.125 in every dimension. Whatever a program stores as an
observation and its successor has to obey that, also where an episode ended.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

ENV_ID = "offline_envs:LearnedModel-v0"
"""With its module, which registers it; so it is found in subprocesses too."""

STEP = -0.125
"""Downwards: the pendulum of the dataset falls, by the rule of its environment."""


def move(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Move every dimension by `STEP`, and pay the action."""
    return obs + STEP, action.sum(dim=-1)


OPTIONS: dict[str, Any] = {
    "dataset": "offline-envs/inverteddoublependulum-replay-v0",
    "model": move,
}
"""Settings of `gym.make` and `gym.make_vec`; with `max_episode_steps` some episodes are truncated."""


def check_rows(program: str, obs: ArrayLike, next_obs: ArrayLike, ended: ArrayLike) -> None:
    """Fail if a stored successor is not the true one.

    Args:
        program: Who stored the rows, for the printed line.
        obs: Observations `(n, d)`.
        next_obs: Their successors as they were stored, `(n, d)`.
        ended: Rows at which an episode ended, bool `(n,)`.
    """
    true = np.abs(np.asarray(next_obs) - np.asarray(obs) - STEP).max(axis=1) < 1e-4
    over = np.asarray(ended, bool)
    print(
        f"{program}: {int(true.sum())} of {len(true)} rows are true, "
        f"{int(true[over].sum())} of {int(over.sum())} where an episode ended"
    )
    assert over.sum() >= 10, "too few episodes ended to tell"
    assert true.all(), f"{program} stored rows that are not the environment's"

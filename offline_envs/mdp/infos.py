"""Names of the entries of `info` and of reset options, and the entries of a step."""

from torch import Tensor

from offline_envs.mdp.step import Step
from offline_envs.mdp.transform import Transform

RAW_REWARD = "raw_reward"
"""The model's reward before a method changed it."""

PENALTY = "penalty"
"""What was subtracted from the model's reward, coefficient times uncertainty; 0 where an episode was halted
or exploded, since the reward is replaced there."""

EXPLODED = "exploded"
"""Whether the prediction was not finite or far outside the data, so that the episode was ended."""

FINAL_OBS = "final_obs"
"""Vector environments, same-step autoreset: the true successor of every row, dense `(n, d)`."""

FINAL_OBS_MASK = "_final_obs"
"""Rows of `final_obs` whose episode ended at this step, bool `(n,)`."""

RESET_MASK = "reset_mask"
"""Key of `reset(options=...)`: the rows to reset, bool `(n,)`; the others keep their state."""

START_OBS = "obs"
"""Key of `reset(options=...)`: the observation to start from, `(d,)` or, for vectors, `(n, d)`."""

START_ROW = "row"
"""Key of `reset(options=...)` where columns are replayed: the row of the dataset that an episode starts from
and follows, an integer or, for vectors, `(n,)`."""


def step_infos(step: Step, transform: Transform | None) -> dict[str, Tensor]:
    """The entries of a step, a fresh `(B,)` each: those of every learned MDP, and those of its method."""
    entries = {RAW_REWARD: step.raw_reward, PENALTY: step.penalty, EXPLODED: step.exploded}
    if transform is not None:
        entries |= transform.infos(step)
    return {name: value.clone() for name, value in entries.items()}

"""Names of the entries that a learned environment puts in `info`."""

import torch
from torch import Tensor

from offline_envs.mdp.pessimism import Halt
from offline_envs.mdp.step import Step

RAW_REWARD = "raw_reward"
"""The model's reward before pessimism changed it."""

PENALTY = "penalty"
"""What was subtracted from the model's reward, coefficient times uncertainty; 0 where an episode was halted
or exploded, since the reward is replaced there."""

EXPLODED = "exploded"
"""Whether the prediction was not finite or far outside the data, so that the episode was ended."""

HALTED = "halted"
"""Whether the pair of obs and action was unknown to the model, so that the episode was ended."""

DISAGREEMENT = "disagreement"
"""Largest distance between two members' means of the next observation; NaN if the model has none."""

THRESHOLD = "threshold"
"""Largest disagreement that counts as known."""

FINAL_OBS = "final_obs"
"""Vector environments, same-step autoreset: the true successor of every row, dense `(n, d)`."""

FINAL_OBS_MASK = "_final_obs"
"""Rows of `final_obs` whose episode ended at this step, bool `(n,)`."""

RESET_MASK = "reset_mask"
"""Key of `reset(options=...)`: the rows to reset, bool `(n,)`; the others keep their state."""

START_OBS = "obs"
"""Key of `reset(options=...)`: the observation to start from, `(d,)` or, for vectors, `(n, d)`."""


def reported(step: Step, halt: Halt | None) -> dict[str, Tensor]:
    """The entries of a step, a fresh `(B,)` each; those about halting only where episodes are halted."""
    entries = {RAW_REWARD: step.raw_reward, PENALTY: step.penalty, EXPLODED: step.exploded}
    if halt is not None:
        entries |= halt_entries(step.halted, step.disagreement, halt.detector.threshold)
    return {name: value.clone() for name, value in entries.items()}


def halt_entries(halted: Tensor, disagreement: Tensor, threshold: float) -> dict[str, Tensor]:
    """The entries about halting, `(B,)` each."""
    return {
        HALTED: halted,
        DISAGREEMENT: disagreement,
        THRESHOLD: torch.full_like(disagreement, threshold),
    }

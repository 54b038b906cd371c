"""What a step reports in `info`, the same for single and vector environments."""

import torch
from torch import Tensor

from offline_envs.envs.info import DISAGREEMENT, EXPLODED, HALTED, PENALTY, RAW_REWARD, THRESHOLD
from offline_envs.envs.pessimism import Halt
from offline_envs.envs.step import Step


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

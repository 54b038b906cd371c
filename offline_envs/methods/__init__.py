"""Ways to turn a model into an MDP: the plain model, the penalty, the halt, the adversary, the filter."""

from offline_envs.methods.adversarial import Adversarial, check_movable
from offline_envs.methods.base import Method, Monitor
from offline_envs.methods.candidates import SELECTIONS, CandidateSampler
from offline_envs.methods.consistent import Consistent, EndInconsistent
from offline_envs.methods.halt import TRUNCATE, Halt
from offline_envs.methods.halt_counter import HaltCounter, TruncationCounter
from offline_envs.methods.in_turn import InTurn
from offline_envs.methods.penalty import Penalize, Penalty
from offline_envs.methods.penalty_scale import RAW, check_penalty_scale, penalty_unit
from offline_envs.methods.plain import Plain
from offline_envs.methods.unknown import HaltUnknown, TruncateUnknown, halt_infos, halt_reward

__all__ = [
    "RAW",
    "SELECTIONS",
    "TRUNCATE",
    "Adversarial",
    "CandidateSampler",
    "Consistent",
    "EndInconsistent",
    "Halt",
    "HaltCounter",
    "HaltUnknown",
    "InTurn",
    "Method",
    "Monitor",
    "Penalize",
    "Penalty",
    "Plain",
    "TruncateUnknown",
    "TruncationCounter",
    "check_movable",
    "check_penalty_scale",
    "halt_infos",
    "halt_reward",
    "penalty_unit",
]

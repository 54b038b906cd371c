"""Ways to turn a model into an MDP: the plain model, the penalty, the halt, the adversary, the filter."""

from offline_envs.methods.adversarial import Adversarial
from offline_envs.methods.base import Method, Monitor
from offline_envs.methods.candidates import SELECTIONS, CandidateSampler
from offline_envs.methods.consistent import Consistent, EndInconsistent
from offline_envs.methods.halt import Halt, HaltUnknown, halt_infos, halt_reward
from offline_envs.methods.halt_counter import HaltCounter
from offline_envs.methods.in_turn import InTurn
from offline_envs.methods.penalty import Penalize, Penalty
from offline_envs.methods.plain import Plain

__all__ = [
    "SELECTIONS",
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
    "halt_infos",
    "halt_reward",
]

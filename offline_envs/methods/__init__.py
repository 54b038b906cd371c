"""Ways to turn a model into an MDP: the plain model, the penalty, the halt, the adversary."""

from offline_envs.methods.adversarial import Adversarial
from offline_envs.methods.base import Method, Monitor
from offline_envs.methods.halt import Halt, HaltUnknown, halt_infos, halt_reward
from offline_envs.methods.halt_counter import HaltCounter
from offline_envs.methods.penalty import Penalize, Penalty
from offline_envs.methods.plain import Plain

__all__ = [
    "Adversarial",
    "Halt",
    "HaltCounter",
    "HaltUnknown",
    "Method",
    "Monitor",
    "Penalize",
    "Penalty",
    "Plain",
    "halt_infos",
    "halt_reward",
]

"""Algorithms of a run, one file each."""

from offline_envs.registry import Registry
from offline_envs.runs.algorithms.base import EVERY_RUN, Algorithm, AlgorithmState, merged
from offline_envs.runs.algorithms.bc import BC
from offline_envs.runs.algorithms.mbpo import MBPO
from offline_envs.runs.algorithms.model_based import IN_MODEL, ModelBased
from offline_envs.runs.algorithms.model_free import MODEL_FREE
from offline_envs.runs.algorithms.mopo import MOPO
from offline_envs.runs.algorithms.morec import MOREC
from offline_envs.runs.algorithms.morel import MOREL
from offline_envs.runs.algorithms.neubay import NEUBAY
from offline_envs.runs.algorithms.own_agents.combo import COMBO_TRAINING
from offline_envs.runs.algorithms.own_agents.mobile import MOBILE_TRAINING
from offline_envs.runs.algorithms.own_agents.ravl import RAVL_TRAINING
from offline_envs.runs.algorithms.rambo import RAMBO

__all__ = [
    "ALGORITHMS",
    "EVERY_RUN",
    "IN_MODEL",
    "Algorithm",
    "AlgorithmState",
    "ModelBased",
    "algorithm",
    "merged",
]

ALGORITHMS: Registry[Algorithm] = Registry(
    "algorithm",
    {
        "mopo": MOPO,
        "mbpo": MBPO,
        "morel": MOREL,
        "rambo": RAMBO,
        "morec": MOREC,
        "combo": COMBO_TRAINING,
        "mobile": MOBILE_TRAINING,
        "ravl": RAVL_TRAINING,
        "neubay": NEUBAY,
        "bc": BC,
        **MODEL_FREE,
    },
)
"""Every algorithm by name. Another package adds its own: `ALGORITHMS.register("mine", Mine(...))`."""


def algorithm(name: str) -> Algorithm:
    """The algorithm of that name.

    Raises:
        SettingsError: An unknown name; the message lists the valid ones.
    """
    return ALGORITHMS.find(name)

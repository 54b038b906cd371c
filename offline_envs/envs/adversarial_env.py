"""The environments of `AdversarialModel-v0`: their ensemble is a copy that an adversary may change."""

from dataclasses import replace
from typing import Any

from offline_envs.envs.assembly import Parts
from offline_envs.envs.learned_env import LearnedEnv
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.mdp.member_selection import EvaluatedMembers


def with_own_ensemble(parts: Parts) -> Parts:
    """The same parts around a copy of the ensemble, which nobody else holds and which takes gradients.

    Fitted models are shared within a process and frozen. This copy is neither, so changing it leaves the
    cached model, and every other environment, as they are.
    """
    ensemble = parts.ensemble.copy().requires_grad_(True)
    evaluated = EvaluatedMembers.of(ensemble, "elites", parts.mdp.ensemble.predictor)
    return parts._replace(mdp=replace(parts.mdp, ensemble=evaluated), ensemble=ensemble)


class AdversarialEnv(LearnedEnv):
    """`LearnedEnv` on an ensemble of its own, the model of RAMBO (Rigter et al. 2022).

    It steps as `LearnedModel-v0` does. `ensemble` is a copy, and a step sees at once what an adversary
    changed in it; see `offline_envs.adversary.Adversary`.

    Args:
        parts: What the environment is made of; its ensemble is copied.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(with_own_ensemble(parts))


class AdversarialVectorEnv(LearnedVectorEnv):
    """`LearnedVectorEnv` on an ensemble of its own, see `AdversarialEnv`.

    Args:
        num_envs: Number of episodes, n.
        parts: What the environment is made of; its ensemble is copied.
        **settings: Those of `LearnedVectorEnv`.
    """

    def __init__(self, num_envs: int, parts: Parts, **settings: Any) -> None:
        super().__init__(num_envs, with_own_ensemble(parts), **settings)

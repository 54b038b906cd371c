"""RAMBO's adversary (Rigter et al. 2022): it moves a model against a policy as far as the data allow."""

from offline_envs.adversary.adversary import Adversary
from offline_envs.adversary.agent_view import AgentView
from offline_envs.adversary.losses import advantage, adversarial_loss, mixture_log_prob, standardized
from offline_envs.adversary.report import UpdateReport
from offline_envs.adversary.settings import AdversarySettings
from offline_envs.adversary.supervision import check_fit

__all__ = [
    "Adversary",
    "AdversarySettings",
    "AgentView",
    "UpdateReport",
    "advantage",
    "adversarial_loss",
    "check_fit",
    "mixture_log_prob",
    "standardized",
]

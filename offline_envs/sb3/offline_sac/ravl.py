"""`RAVL`: SAC with ten critics whose slopes are kept apart."""

from typing import Any

from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.fast_sac.learning_rates import check_not_negative
from offline_envs.sb3.fast_sac.sac_step import SACParts, SACStep
from offline_envs.sb3.offline_sac.diversity import DiverseStep
from offline_envs.settings import check_arguments

N_CRITICS = 10


class RAVL(FastSAC):
    """Reach-aware value learning (Sims et al. 2024): the critic of EDAC (An et al. 2021) in a learned model.

    Rollouts in a model end after a few steps. States that only a last step reaches are targets of the
    critics, but never trained on: their values are extrapolated, and grow without bound. Ten critics disagree
    there, and the smallest of their values bounds what is learned. As critics from one dataset become alike,
    η times the similarity of their slopes ∇_a Q is added to their loss.

    EDAC's loss has whole squares of the errors, SAC's half squares; the term is halved as well, so that η is
    the published one. With η = 0 this is `FastSAC` with ten critics, bit for bit. Actions of one dimension
    have slopes of length 1 and no direction, so there the term has no gradient.

    Args:
        *args: As for `FastSAC`.
        diversity: η; 1 in the release.
        policy_kwargs: As for `FastSAC`, with `n_critics` 10 unless it is given.
        **kwargs: As for `FastSAC`.

    Raises:
        SettingsError: See `FastSAC`; a negative η; or η > 0 with one critic, layer norms or another
            activation than ReLU.

    Example:
        >>> from offline_envs.sb3 import RAVL
        >>> agent = RAVL("MlpPolicy", "Pendulum-v1", device="cpu", seed=0).learn(110)
    """

    @check_arguments
    def __init__(
        self,
        *args: Any,
        diversity: float = 1.0,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.diversity = diversity
        super().__init__(*args, policy_kwargs={"n_critics": N_CRITICS, **(policy_kwargs or {})}, **kwargs)

    def _setup_model(self) -> None:
        check_not_negative(diversity=self.diversity)
        super()._setup_model()
        if self.diversity == 0:
            return
        if self.critic.n_critics < 2:
            raise SettingsError("diversity needs at least 2 critics, got n_critics=1 in policy_kwargs.")
        if self.policy.activation_fn is not nn.ReLU:
            raise SettingsError(
                f"diversity needs ReLU as activation_fn, got {self.policy.activation_fn.__name__}."
            )
        if self.critic_layer_norm:
            raise SettingsError(
                "diversity needs critics that are linear around every input, got critic_layer_norm=True. "
                "Set diversity=0 or critic_layer_norm=False."
            )

    def _make_step(self, parts: SACParts) -> SACStep:
        return DiverseStep(parts, self.diversity) if self.diversity else super()._make_step(parts)

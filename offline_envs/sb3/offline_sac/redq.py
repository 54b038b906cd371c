"""`REDQ`: SAC with many critics, of which a few, drawn for each target, set it."""

from typing import Any

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.fast_sac.sac_step import SACParts, SACStep
from offline_envs.settings import check_arguments

N_CRITICS = 10


class REDQ(FastSAC):
    """Randomized ensembled double Q-learning (Chen et al. 2021, ICLR), the critics of NEUBAY.

    All critics learn the same target, the smallest value of a few of them that are drawn at each gradient
    step, and the actor follows the mean of all: algorithm 1. So more critics make values steadier without
    making them smaller, as the minimum over all of them would. The paper takes 20 gradient steps for each
    step of the environment, which is `gradient_steps`.

    With one critic this is `FastSAC`, bit for bit.

    Args:
        *args: As for `FastSAC`.
        n_target_critics: Critics that are drawn for a target, M; 2 in the paper.
        policy_kwargs: As for `FastSAC`, with `n_critics` 10 unless it is given.
        **kwargs: As for `FastSAC`.

    Raises:
        SettingsError: See `FastSAC`; fewer than 1 critic drawn, or more than there are.

    Example:
        >>> from offline_envs.sb3 import REDQ
        >>> agent = REDQ("MlpPolicy", "Pendulum-v1", device="cpu", seed=0).learn(110)
    """

    @check_arguments
    def __init__(
        self,
        *args: Any,
        n_target_critics: int = 2,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.n_target_critics = n_target_critics
        super().__init__(*args, policy_kwargs={"n_critics": N_CRITICS, **(policy_kwargs or {})}, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        if not 1 <= self.n_target_critics <= self.critic.n_critics:
            raise SettingsError(
                f"n_target_critics must be between 1 and n_critics={self.critic.n_critics}, "
                f"got {self.n_target_critics}."
            )

    def _make_step(self, parts: SACParts) -> SACStep:
        return DrawnCriticsStep(parts, self.n_target_critics)


class DrawnCriticsStep(SACStep):
    """`SACStep` with targets by drawn critics and an actor that follows the mean of all.

    Args:
        parts: See `SACStep`.
        n_drawn: Critics that are drawn.
    """

    def __init__(self, parts: SACParts, n_drawn: int) -> None:
        super().__init__(parts)
        self._n_drawn = n_drawn

    def _next_value(self, values: Tensor) -> Tensor:
        order = torch.rand(len(values), generator=self.generator, device=values.device)
        return values[order.topk(self._n_drawn).indices].amin(0)

    def _followed(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values.mean(0), torch.full_like(values, 1 / len(values))

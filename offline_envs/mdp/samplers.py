"""`DrawnElites`: which elite each row follows, where an episode follows one of them."""

import torch
from torch import Tensor

from offline_envs.errors import unknown_name
from offline_envs.mdp.mdp import LearnedMDP

MEMBER_MODES = ("step", "episode")
"""How often a row draws its elite, by the names that the `member` setting takes."""


class DrawnElites:
    """The elite of each row for its whole episode, or None where every step draws anew.

    `"step"` is "TS1" of Chua et al. 2018 and MOPO's; `"episode"` is their "TS∞" and MOReL's release.

    Args:
        mdp: Where they are drawn.
        mode: `"step"` or `"episode"`.

    Attributes:
        elite: Place of each row's elite among the elites, int64 `(n,)`, or None.

    Raises:
        SettingsError: Another mode.
    """

    def __init__(self, mdp: LearnedMDP, mode: str) -> None:
        if mode not in MEMBER_MODES:
            raise unknown_name("member", mode, MEMBER_MODES)
        self._mdp, self._per_episode = mdp, mode == "episode"
        self.elite: Tensor | None = None

    def reset(self, n: int, generator: torch.Generator, mask: Tensor | None = None) -> None:
        """Draw for the rows in `mask`, bool `(n,)`, or for all; the same numbers are used up either way."""
        if not self._per_episode:
            return
        drawn = self._mdp.draw_elites(n, generator)
        if self.elite is None:
            self.elite = drawn
        else:  # in place, for who has captured where it lies
            self.elite.copy_(drawn if mask is None else torch.where(mask, drawn, self.elite))

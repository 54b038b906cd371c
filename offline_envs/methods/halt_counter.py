"""`HaltCounter`: counts halted episodes, and warns once if the halt rate is implausibly low or high."""

import math
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from offline_envs.mdp import Step

EPISODES = 100
"""Episodes after which the share of halted ones is judged, once; with more rows, one episode a row."""

CHECK_EVERY = 100
"""Calls between two checks of the counts: on a GPU each check waits for the device."""

FEW, MANY = 0.005, 0.99
"""Shares of halted episodes outside of which the threshold is probably wrong."""

SHORT = 2.0
"""Steps an episode below which truncations leave almost nothing to imagine."""


class HaltCounter:
    """Counts steps, episodes and halts of `n` rows, on the device where they happen.

    Args:
        n: Number of rows.
        device: Where their flags are.

    Attributes:
        halted: Rows that the last step halted, bool `(n,)`; it is written in place.

    Warns:
        UserWarning: Once, if almost none or almost all of the first episodes were halted, counting those
            still running.
    """

    ended = "halted"
    """What becomes of such an episode, for messages."""
    setting = (
        "the threshold, e.g. β of threshold={'mean_std': β}; `offline-envs info` shows what each rule gives"
    )
    """What to change if the share is implausible, for messages."""

    def __init__(self, n: int, device: str | torch.device = "cpu") -> None:
        self.halted = torch.zeros(n, dtype=torch.bool, device=device)
        self._running = torch.zeros_like(self.halted)  # reset, and not over yet
        self._open = torch.zeros_like(self._running)  # the same, and stepped at least once
        self._steps, self._episodes, self._halted = torch.zeros(3, dtype=torch.int64, device=device)
        self._calls, self._judged = 0, False

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return int(self._steps)

    @property
    def n_episodes(self) -> int:
        """Number of episodes that are over: halted, terminated or truncated."""
        return int(self._episodes)

    @property
    def n_halted(self) -> int:
        """Number of episodes that were halted."""
        return int(self._halted)

    @property
    def rate(self) -> float:
        """Share of episodes that were halted; NaN before the first is over."""
        return self.n_halted / self.n_episodes if self.n_episodes else math.nan

    def count(self, step: Step, ended: Tensor) -> None:
        """Count a step of a learned MDP, see `Monitor`."""
        self.add(step.extras["halted"], ended)

    def add(self, halted: Tensor, ended: Tensor) -> None:
        """Count a step on the device, in place; rows whose episode was over before do not count.

        Args:
            halted: Rows that it halted, bool `(n,)`.
            ended: Rows whose episode it ended, bool `(n,)`.
        """
        self.halted.copy_(halted)
        running = self._running
        self._steps += running.sum()
        self._episodes += (ended & running).sum()
        self._halted += (halted & running).sum()
        self._running &= ~ended
        self._open.copy_(self._running)

    def step(self, halted: Tensor, ended: Tensor) -> None:
        """`add` and `look`, for callers outside a captured graph."""
        self.add(halted, ended)
        self.look()

    def look(self) -> None:
        """Check the counts periodically, on the host; called after every step."""
        self._calls += 1
        if not self._judged and self._calls % CHECK_EVERY == 0:
            self._judge()

    def reset(self, mask: Tensor | None = None) -> None:
        """Begin an episode in the rows of `mask`, bool `(n,)`, or in all; open episodes end there."""
        rows = torch.ones_like(self._running) if mask is None else mask
        self._episodes += (self._open & rows).sum()
        self._open &= ~rows
        self._running |= rows

    def state_dict(self) -> dict[str, Tensor]:
        """See `Monitor`."""
        on_host = torch.tensor([self._calls, self._judged])
        return {name: value.clone() for name, value in self._counts().items()} | {"on_host": on_host}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `Monitor`."""
        for name, value in self._counts().items():
            value.copy_(state[name])
        calls, judged = state["on_host"].tolist()
        self._calls, self._judged = calls, bool(judged)

    def _counts(self) -> dict[str, Tensor]:
        return {
            "halted": self.halted,
            "running": self._running,
            "open": self._open,
            "n_steps": self._steps,
            "n_episodes": self._episodes,
            "n_halted": self._halted,
        }

    def _judge(self) -> None:
        if self.n_episodes < max(EPISODES, len(self._open)):
            return
        self._judged = True
        # Halts come early, so their share of the finished episodes is larger than their share of all.
        begun = self.n_episodes + int(self._open.sum())
        verdict = self._verdict(begun)
        if verdict is None:
            return
        problem, change = verdict
        warnings.warn(
            f"{self.n_halted} of the first {begun} episodes were {self.ended}, at "
            f"{self.n_steps / begun:.0f} steps an episode: {problem}. {change} {self.setting}.",
            stacklevel=5,
        )

    def _verdict(self, begun: int) -> tuple[str, str] | None:
        """What is wrong with the halts among `begun` episodes, and the change that helps; or None."""
        if self.n_halted < FEW * begun:
            return "almost nothing counts as unknown", "Lower"
        if self.n_halted > MANY * begun:
            return "almost every episode leaves what counts as known", "Raise"
        return None


class TruncationCounter(HaltCounter):
    """Counts truncated episodes in the same way.

    A truncation costs nothing: with the threshold at the data's maximum few episodes may be cut and, where
    the horizon is the task's, the threshold may end nearly every one. Only episodes so short that hardly
    anything is imagined are pointed out.
    """

    ended = "truncated"

    def _verdict(self, begun: int) -> tuple[str, str] | None:
        verdict = super()._verdict(begun)
        return verdict if self.n_halted > MANY * begun and self.n_steps < SHORT * begun else None

"""`Holdout`: rows of a dataset that a model was not fitted to, according to its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics.fitting.rows import generator_for, split_index
from offline_envs.dynamics.fitting.settings import FitSettings

HOLDOUT = "held-out steps"
SEEN = "steps that the fit may have seen"

_SPLIT = ("holdout", "holdout_share", "rollout_steps", "seed")
"""Settings that decide the split, of every kind of model that this package fits."""


@dataclass(frozen=True)
class Holdout:
    """A split of a dataset's rows.

    Attributes:
        rows: Rows to judge a model on, int64 `(m,)`.
        others: All other rows, int64 `(n - m,)`.
        reason: Why `rows` are not held out, in words; None if they are.
    """

    rows: Tensor
    others: Tensor
    reason: str | None

    @property
    def name(self) -> str:
        """Name of the set of steps in `rows`."""
        return HOLDOUT if self.reason is None else SEEN

    @classmethod
    def of(cls, transitions: Transitions, card: Mapping[str, Any] | None, *, seed: int) -> Self:
        """Reproduce the holdout split of a fit from the settings on the model's card.

        If the card lacks them, rows are drawn by `seed`, and `reason` says that the model may have seen them.

        Args:
            transitions: The dataset.
            card: Result of `read_model_card`, or None for an ensemble that was never saved.
            seed: Seed of the draw.
        """
        reason = _unknown(transitions, card)
        if reason is None:
            assert card is not None
            others, rows = split_index(len(transitions), _split_settings(card["fit_settings"]))
            return cls(rows, others, None)
        order = torch.randperm(len(transitions), generator=generator_for(seed, 0))
        size = max(1, min(1000, len(transitions) // 5))
        return cls(order[:size], order[size:], reason)


def _split_settings(of_card: Mapping[str, Any]) -> FitSettings:
    split = {name: of_card[name] for name in _SPLIT if name in of_card}
    if "rollout_steps" in split:
        split["own_schedule"] = "constant"  # the default needs a setting that does not matter here
    return FitSettings.from_json(split)


def _unknown(transitions: Transitions, card: Mapping[str, Any] | None) -> str | None:
    if card is None or not card.get("fit_settings") or not card.get("dataset"):
        return "the model's card does not name the dataset and the settings of its fit"
    if card["dataset"]["fingerprint"] != transitions.fingerprint:
        return f"the model was fitted to another dataset, {card['dataset']['source']}"
    return None

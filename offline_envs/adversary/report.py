"""`UpdateReport`: the figures of one update of an adversary."""

from typing import NamedTuple


class UpdateReport(NamedTuple):
    """Means over the gradient steps of one update; NaN where none was taken."""

    n_steps: int  # gradient steps taken
    adversarial_loss: float  # mean of standardised advantage · log-probability, before λ
    log_prob: float  # log-probability of the imagined steps
    advantage: float  # r + γ·V(s′) − Q(s, a) before it is standardised
    advantage_std: float
    supervised_loss: float  # as in the fit, without the L2 term
    holdout_ratio: float  # largest holdout error of an elite at the last check, relative to its first

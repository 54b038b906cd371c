"""Importance sampling: returns of recorded episodes, weighted by how likely another policy makes them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from offline_envs.errors import unknown_name
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap
from offline_envs.evaluation.off_policy.episodes import WeightedEpisodes
from offline_envs.evaluation.off_policy.estimate import Estimate


def trajectory_wise(episodes: WeightedEpisodes, weights: Tensor) -> float:
    """Σ_i w_i Σ_t γᵗ r_t with each episode's weight at its last step."""
    returns = (episodes.rewards * episodes.discounts).sum(1)
    return float((weights[:, -1] * returns).sum())


def per_decision(episodes: WeightedEpisodes, weights: Tensor) -> float:
    """Σ_t γᵗ Σ_i w_i,₀:ₜ r_i,t: a reward is weighted by the actions before it, not by later ones."""
    return float((weights * episodes.rewards * episodes.discounts).sum())


Form = Callable[[WeightedEpisodes], float]

IMPORTANCE_FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "is": lambda episodes: trajectory_wise(episodes, episodes.weights),
        "pdis": lambda episodes: per_decision(episodes, episodes.weights),
        "wis": lambda episodes: trajectory_wise(episodes, episodes.normalized_weights),
        "wpdis": lambda episodes: per_decision(episodes, episodes.normalized_weights),
    }
)
"""The estimators of Precup, Sutton and Singh (2000): trajectory-wise and per-decision importance sampling,
unbiased for a known behaviour; and their weighted forms, biased but consistent and of far less variance. The
last divides by the sum of the weights at each step (Thomas 2015, "consistent weighted per-decision").
"""


def importance_sampling(
    episodes: WeightedEpisodes, form: str = "wpdis", *, bootstrap: Bootstrap | None = None
) -> Estimate:
    """Estimate a policy's return by importance sampling.

    Args:
        episodes: Recorded episodes with the ratios of their actions.
        form: A name in `IMPORTANCE_FORMS`.
        bootstrap: How the interval is made, over episodes; None means the defaults.

    Raises:
        SettingsError: An unknown form.
    """
    if form not in IMPORTANCE_FORMS:
        raise unknown_name("form of importance sampling", form, IMPORTANCE_FORMS)
    statistic = IMPORTANCE_FORMS[form]
    interval = (bootstrap or Bootstrap()).interval(
        lambda index: statistic(episodes.take(index)), len(episodes)
    )
    return Estimate(
        statistic(episodes), interval, episodes.gamma, episodes.horizon, episodes.effective_sample_size
    )

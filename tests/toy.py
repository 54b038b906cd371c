"""An ensemble and a dataset so simple that every number can be worked out on paper."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.dynamics.ensemble.layers import MemberLinear

OBS_DIM, ACTION_DIM = 2, 1

MEANS = ((1.0, 1.5, 0.0), (2.0, 0.0, 6.0), (4.0, -1.5, 0.0))
"""Means of (reward, Δobs₀, Δobs₁) of the three members, whatever the input."""

STDS = ((1.0, 1.0, 1.0), (2.0, 3.0, 6.0), (1.0, 2.0, 2.0))
"""Standard deviations likewise; their norms are √3, 7 and 3."""

ELITES = (2, 0)

PENALTIES = {
    ("max_std", "all"): 7.0,
    ("max_std", "elites"): 3.0,
    ("max_deviation", "all"): 4.0,  # the average is (0, 2), so the distances are 2.5, 4 and 2.5
    ("max_deviation", "elites"): 1.5,
    ("max_disagreement", "all"): 38.25**0.5,  # members 0 and 1 are (1.5, -6) apart
    ("max_disagreement", "elites"): 3.0,
    ("ensemble_std", "all"): 4.75**0.5,  # variances 1.5 and 8
    ("ensemble_std", "elites"): 1.125**0.5,  # variances 2.25 and 0
}
"""Every measure of that ensemble by name and by the members that are measured."""

WORST_REWARD = -4.0
"""Lowest reward of `toy_transitions`."""


def toy_ensemble(
    means: Sequence[Sequence[float]] = MEANS,
    stds: Sequence[Sequence[float]] = STDS,
    elites: Sequence[int] = ELITES,
) -> EnsembleDynamics:
    """Make an ensemble whose members predict the same Gaussian for every input.

    Args:
        means: Mean of (reward, Δobs) of each member, `(N, 1 + d)`; may be NaN or infinite.
        stds: Standard deviation likewise; positive.
        elites: Indices of the elite members.
    """
    n, n_outputs = len(means), len(means[0])
    settings = EnsembleSettings(n_members=n, n_elites=len(elites), hidden=(4,))
    ensemble = EnsembleDynamics(n_outputs - 1, ACTION_DIM, settings=settings)
    assert ensemble.bounds is not None
    with torch.no_grad():
        for head, bias in zip(
            ensemble.heads, (torch.tensor(means), 2 * torch.tensor(stds).log()), strict=True
        ):
            head.get_parameter("weight").zero_()
            head.get_parameter("bias").copy_(bias[:, None])
        ensemble.bounds.low.fill_(-50.0)  # so far away that the soft bounds are the identity
        ensemble.bounds.high.fill_(50.0)
        ensemble.elites.copy_(torch.tensor(elites))
    return ensemble.eval().requires_grad_(False)


def toy_transitions() -> Transitions:
    """Make three episodes of three steps: in episode e, obs (t, e), next_obs (t + 1, e), reward −t − e."""
    episode = torch.arange(3.0).repeat_interleave(3)
    time = torch.arange(3.0).repeat(3)
    return Transitions(
        obs=torch.stack([time, episode], dim=1),
        actions=(time - 1)[:, None],
        rewards=-time - episode,
        next_obs=torch.stack([time + 1, episode], dim=1),
        terminated=torch.zeros(9, dtype=torch.bool),
        episode_starts=torch.tensor([0, 3, 6]),
        action_space=Box(-1.0, 1.0, (ACTION_DIM,)),
        source="toy",
    )


def right_of_six(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """Terminate where the first observation exceeds 6, which the dataset never does."""
    del obs, action  # Unused.
    return next_obs[:, 0] > 6


def counting_ensemble() -> EnsembleDynamics:
    """Make an ensemble that gives reward 1 and moves obs₀ by 1 at every step, up to noise of 1e-6."""
    return toy_ensemble(((1.0, 1.0, 0.0),) * 3, ((1e-6,) * 3,) * 3)


def quiet_ensemble() -> EnsembleDynamics:
    """Make an ensemble with almost no noise, whose elites 2 and 0 pay 4 and 1 a step.

    Member 1 moves obs₁ by 6; the average of the moves is (0, 2), from which it is 4 away.
    """
    return toy_ensemble(((1.0, 0.1, 0.0), (2.0, 0.0, 6.0), (4.0, -0.1, 0.0)), ((1e-6,) * 3,) * 3)


def toy_options(**changes: Any) -> dict[str, Any]:
    """Settings of `gym.make` and `gym.make_vec` for the toys, with some of them changed."""
    return {"dataset": toy_transitions(), "model": toy_ensemble(), "termination": "never", **changes}


def spreading_ensemble(elites: Sequence[int] = (1,)) -> EnsembleDynamics:
    """Make an ensemble whose uncertainty grows with the distance from obs₀ = 0, in whole numbers.

    Every member gives reward 1 and moves obs₀ by 1, up to noise of 1e-6; member 0 adds obs₀ / 2 to that and
    member 2
    takes it off, so that the members' disagreement is |obs₀|: 0, 1 and 2 on `toy_transitions`.
    """
    ensemble = toy_ensemble(((1.0, 1.0, 0.0),) * 3, ((1e-6,) * 3,) * 3, elites)
    layer, head = (cast(MemberLinear, part) for part in (ensemble.trunk[0], ensemble.heads[0]))
    layer.weight.zero_()
    layer.bias.zero_()
    layer.weight[:, 0, :2] = torch.tensor([1.0, -1.0])
    slopes = torch.tensor([0.5, 0.0, -0.5])  # silu(x) − silu(−x) = x
    head.weight[:, :2, 1] = slopes[:, None] * torch.tensor([1.0, -1.0])
    return ensemble


HALT_ABOVE_2 = {"threshold": {"max_over": 0.8}, "units": "raw"}
"""Settings by which pairs of `spreading_ensemble` are unknown where |obs₀| > 2.5."""


def halting_options(**changes: Any) -> dict[str, Any]:
    """Settings of `PessimisticModel-v0` for the toys: from obs₀ = 0 the fourth step is halted."""
    return {**toy_options(model=spreading_ensemble()), **HALT_ABOVE_2, **changes}

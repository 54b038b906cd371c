"""The spread of the elites' mixture about its mean, and the factor that calibrates it.

Each elite's deviation covers that elite's own errors. A step draws an elite first, so the distances between
the elites' means come on top, although the mean of several elites errs less than one of them: the mixture is
wider than the errors about its mean. One factor for all outputs corrects that.
"""

import math

import torch
from torch import Tensor

from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import SettingsError

SMALLEST, LARGEST = 1 / 64, 64.0
"""Factors between which the best one is searched."""

N_TRIED, N_ROUNDS = 33, 6
"""Factors tried in a round, and rounds; each round searches a sixteenth of the range before."""


def scaled_spread(prediction: Prediction, factor: float, elites: Tensor) -> Prediction:
    """Scale how far outcomes lie from the mean of the elites' means, m̄, by a factor c.

    A sample x of any member becomes m̄ + c·(x − m̄): its mean m̄ + c·(μ − m̄), its deviation c·σ. The mean of the
    mixture stays.

    Args:
        prediction: Gaussians of N members, `(N, B, 1 + d)`.
        factor: c, positive; 1 changes nothing.
        elites: Positions of the elites among them, int64 `(E,)`.
    """
    centre = prediction.mean[elites].mean(dim=0)
    return Prediction(torch.lerp(centre, prediction.mean, factor), prediction.std * factor)


def mixture_nll(prediction: Prediction, true: Tensor) -> Tensor:
    """Negative log-likelihood of outcomes under the members' mixture: −log (1/N) Σ_i N(y; μ_i, σ_i²).

    Args:
        prediction: Gaussians of N members, `(N, B, D)`, of positive deviation.
        true: Outcomes, `(B, D)`.

    Returns:
        One number for each row and each output by itself, `(B, D)`.
    """
    z = (true - prediction.mean) / prediction.std
    log_density = -0.5 * (z.square() + math.log(2 * math.pi)) - prediction.std.log()
    return math.log(len(z)) - torch.logsumexp(log_density, dim=0)


def fitted_spread(prediction: Prediction, true: Tensor) -> float:
    """The factor of `scaled_spread` under which outcomes that no member was fitted to are most likely.

    The likelihood is the mean over rows and outputs of `mixture_nll`, in which units do not matter. Outputs
    that are the same in all rows are left out: a model may be right about them to the last bit, and the
    likelihood would then only grow as the factor falls. One factor serves all outputs: a factor for each was
    no better on rows that it was not fitted to.

    Args:
        prediction: Gaussians of the elites, `(E, m, 1 + d)`.
        true: What came out, (reward, next_obs − obs), `(m, 1 + d)`.

    Returns:
        The factor, between `SMALLEST` and `LARGEST`; 1 if all outputs are constant.

    Raises:
        SettingsError: Deviations that are zero, or predictions that are not finite.
    """
    varies = (true != true[:1]).any(dim=0)
    gaussians = Prediction(prediction.mean[..., varies].double(), prediction.std[..., varies].double())
    outcome = true[:, varies].double()
    if not all(bool(part.isfinite().all()) for part in (*gaussians, outcome)):
        raise SettingsError(
            "A spread can be fitted only where all predictions are finite. Fit the model again."
        )
    if not bool((gaussians.std > 0).all()):
        raise SettingsError("A spread can be fitted only to members that predict a variance.")
    if outcome.numel() == 0:
        return 1.0
    elites = torch.arange(len(gaussians.mean), device=outcome.device)

    def loss(log_factor: Tensor) -> Tensor:
        return mixture_nll(scaled_spread(gaussians, float(log_factor.exp()), elites), outcome).mean()

    low, high = math.log(SMALLEST), math.log(LARGEST)
    for _ in range(N_ROUNDS):
        tried = torch.linspace(low, high, N_TRIED, dtype=torch.float64)
        best = int(torch.stack([loss(candidate) for candidate in tried]).argmin())
        low, high = float(tried[max(best - 1, 0)]), float(tried[min(best + 1, N_TRIED - 1)])
    return math.exp((low + high) / 2)

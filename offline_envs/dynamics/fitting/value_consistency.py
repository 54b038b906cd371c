"""The value term of a fit: a member's errors count by what they do to the value of a state.

VIPO (arXiv 2504.11944): besides the data's own value V_d of a state, which is learned from recorded steps,
every member i has a value V_i, learned from the steps that it predicts. Were it right, both would agree. The
term descends ½(V_d − V_i)² with respect to the member's weights, by the score-function estimator: for a
sample (r, s′) of the member at (s, a) it adds

    −A · log p_i(r, s′ | s, a),    A = (V_d(s) − V_i(s)) · (r + γ·V_i(s′) − V_i(s)).

The paper has no −V_i(s), which does not change the mean of the gradient and takes most of its variance. In
its released code A is computed from the member's means and the likelihood at an independent sample. That
gradient is zero on average, so the term is noise there; it is not offered.

A recorded termination ends the value of the predicted step too. The values are those of the policy that
collected the data.
"""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from offline_envs.dynamics.ensemble.layers import MemberLinear, Normalizer
from offline_envs.dynamics.ensemble.networks import networks
from offline_envs.dynamics.fitting.losses import log_likelihood
from offline_envs.dynamics.fitting.rows import generator_for
from offline_envs.dynamics.fitting.settings import FitSettings
from offline_envs.dynamics.fitting.units import Units
from offline_envs.dynamics.prediction import DELTA, REWARD

WIDTHS = (256, 256, 256)
"""Hidden layers of the value networks, as in VIPO's release; they are SiLU networks here."""

LEARNING_RATE, TARGET_RATE = 3e-4, 0.005
"""Of values, and of the slow copies of them by which their targets are computed."""

_DATA, _MEMBERS, _SAMPLES = 5, 6, 7
"""Streams of a fit's random numbers."""


class ValueNetworks(nn.Module):
    """M networks from a standardised observation to a value in units of the reward.

    Args:
        n: Number of networks, M.
        n_obs: Number of observation dimensions, d.
        generator: Source of the initial weights.
    """

    def __init__(self, n: int, n_obs: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            MemberLinear(n, i, o, generator=generator) for i, o in pairwise((n_obs, *WIDTHS, 1))
        )

    def forward(self, obs: Tensor) -> Tensor:
        """Values of `obs`, `(M, B, d)` to `(M, B)`."""
        layers = [cast("MemberLinear", layer) for layer in self.layers]
        return networks(obs, [(layer.weight, layer.bias) for layer in layers])[..., 0]


class LearnedValues:
    """Value networks, slow copies of them, and their optimiser.

    Args:
        n: Number of networks, M.
        n_obs: Number of observation dimensions, d.
        seed: Seed of the initial weights.
        stream: Which numbers of the seed.
        device: Device of the networks.
    """

    def __init__(self, n: int, n_obs: int, *, seed: int, stream: int, device: torch.device) -> None:
        self.now, self.slow = (
            ValueNetworks(n, n_obs, generator=generator_for(seed, stream)).to(device) for _ in range(2)
        )
        self.slow.requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.now.parameters(), lr=LEARNING_RATE, fused=True)
        for parameter in self.now.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def learn(self, obs: Tensor, target: Tensor) -> None:
        """Step towards values of `obs`, `(M, B, d)`, of `target`, `(M, B)`, and let the slow ones follow."""
        self.optimizer.zero_grad()
        torch.autograd.backward((self.now(obs) - target).square().mean(dim=1).sum())
        self.optimizer.step()
        with torch.no_grad():
            for slow, now in zip(self.slow.parameters(), self.now.parameters(), strict=True):
                slow.lerp_(now, TARGET_RATE)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed fit needs, by name, the tensors themselves."""
        named = {
            f"{part}.{name}": value
            for part, module in (("now", self.now), ("slow", self.slow))
            for name, value in module.state_dict().items()
        }
        for name, parameter in self.now.named_parameters():
            named |= {f"adam.{name}.{key}": value for key, value in self.optimizer.state[parameter].items()}
        return named


class ValueConsistency:
    """Values of the data and of all members, learned during the fit, and the term that makes them agree.

    Args:
        n_members: Number of members, N.
        terminated: Whether the MDP ended at each training row, bool `(n_train,)`.
        normalizer: Standardisation of the inputs.
        scaler: Standardisation of the targets; mean 0 and deviation 1 for raw ones.
        fit_settings: Weight and discount of the term, and the seed.
        device: Device of the fit.
    """

    def __init__(
        self,
        n_members: int,
        terminated: Tensor,
        normalizer: Normalizer,
        scaler: Normalizer,
        *,
        fit_settings: FitSettings,
        device: torch.device,
    ) -> None:
        self._settings = fit_settings
        self._discount = (fit_settings.value_discount * ~terminated).to(device)
        self._units = Units.of(normalizer, scaler, device)
        self._reward = scaler.mean[REWARD].to(device), scaler.std[REWARD].to(device)
        n_obs, seed = len(scaler.mean) - 1, fit_settings.seed
        self.of_data = LearnedValues(1, n_obs, seed=seed, stream=_DATA, device=device)
        self.of_members = LearnedValues(n_members, n_obs, seed=seed, stream=_MEMBERS, device=device)

    def draw(self, index: Tensor, step: int) -> Tensor:
        """Draw the noise of one sample a row, `(N, B, 1 + d)`; it depends on seed and step only."""
        generator = generator_for(self._settings.seed, _SAMPLES, step)
        noise = torch.randn(*index.shape, 1 + len(self._units.factor), generator=generator)
        return noise.to(index.device)

    def term(
        self, index: Tensor, inputs: Tensor, targets: Tensor, mean: Tensor, logvar: Tensor, noise: Tensor
    ) -> Tensor:
        """Take a step of the values, then compute the weighted term of each member, `(N,)`.

        Args:
            index: Training rows, int `(N, B)`.
            inputs: Their standardised inputs, `(N, B, d + k)`.
            targets: Their targets, `(N, B, 1 + d)`.
            mean: Predicted means, `(N, B, 1 + d)`.
            logvar: Predicted log-variances, `(N, B, 1 + d)`.
            noise: See `draw`.
        """
        sample = (mean + (logvar / 2).exp() * noise).detach()
        obs = inputs[..., : len(self._units.factor)]
        discount = self._discount.index_select(0, index.reshape(-1)).view(index.shape)
        self.of_data.learn(_as_one(obs), _as_one(self._return(self.of_data, obs, targets, discount)))
        self.of_members.learn(obs, self._return(self.of_members, obs, sample, discount))
        weight = self.advantage(obs, sample, discount)
        return -self._settings.value_weight * (weight * log_likelihood(mean, logvar, sample)).mean(dim=1)

    @torch.no_grad()
    def advantage(self, obs: Tensor, sample: Tensor, discount: Tensor) -> Tensor:
        """A of every sample, `(N, B)`.

        Args:
            obs: Standardised observations, `(N, B, d)`.
            sample: Sampled steps in the units of the targets, `(N, B, 1 + d)`.
            discount: γ, or 0 where the MDP ended, `(N, B)`.
        """
        own, of_data = self.of_members.now(obs), self.of_data.now(_as_one(obs)).view(discount.shape)
        ahead = self._return(self.of_members, obs, sample, discount)
        found: Tensor = (of_data - own) * (ahead - own)
        return found

    @torch.no_grad()
    def _return(self, values: LearnedValues, obs: Tensor, step: Tensor, discount: Tensor) -> Tensor:
        """R + γ·V(s′), `(N, B)`, by the slow values of the data or of each member."""
        shift, scale = self._reward
        after = self._units.after(obs, step[..., DELTA])
        one = values is self.of_data
        ahead: Tensor = values.slow(_as_one(after) if one else after).view(discount.shape)
        return shift + scale * step[..., REWARD] + discount * ahead

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed fit needs, by name, the tensors themselves."""
        return {
            f"{whose}.{name}": value
            for whose, values in (("data", self.of_data), ("members", self.of_members))
            for name, value in values.tensors().items()
        }


def _as_one(values: Tensor) -> Tensor:
    """The rows of all members, `(N, B, ...)`, as those of one network, `(1, N·B, ...)`."""
    return values.reshape(1, -1, *values.shape[2:])

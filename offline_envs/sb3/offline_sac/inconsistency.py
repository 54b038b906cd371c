"""`Inconsistency`: how much the members of a model disagree about the value of the next state."""

from typing import NamedTuple

import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.dynamics import DELTA, DynamicsModel, ModelShape, Prediction
from offline_envs.errors import SettingsError
from offline_envs.kernels import StackedMLP
from offline_envs.mdp import row_chunks
from offline_envs.sb3.buffers.rows import action_bounds, between
from offline_envs.sb3.fast_sac.squashed_gaussian import squashed_sample


class SuccessorNoise(NamedTuple):
    """Standard normal numbers of E elites, n successors of each, and B pairs of observation and action."""

    obs: Tensor
    """`(E, n, B, d)`."""
    action: Tensor
    """`(E, n, B, k)`."""


class Inconsistency:
    """The deviation, over the elites of a model, of the value that each expects of the next state.

    U(s, a) = Std_i E[min_j Q̄_j(s′, a′)], with s′ from elite i's Gaussian at (s, a) and a′ from the policy at
    s′. The expectation is the mean over sampled successors, the deviation is the unbiased one: Sun et al.
    2023 (MOBILE), section 4, without discount and reward, as in the release. Successors that end an episode
    count like any other, which is the release's way too.

    It records no gradients, never waits for the device, and reads all weights at every call. Memory for
    activations is bounded: rows are computed in chunks, see `row_chunks`.

    Args:
        model: The model, with at least two elites; on the networks' device.
        actor: One network from obs to means and log-deviations of actions, `2k` outputs.
        targets: The target networks, from obs and action to a value.
        action_space: Bounds of the actions, which the networks see rescaled to [−1, 1].
        dtype: Dtype of the hidden layers of actor and target networks; None for their own.

    Raises:
        SettingsError: A model with a single elite.
    """

    def __init__(
        self,
        model: DynamicsModel,
        actor: StackedMLP,
        targets: StackedMLP,
        action_space: Box,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_elites(model)
        self.model, self._actor, self._targets = model, actor, targets
        self._dtype = dtype or actor.flat.values.dtype
        self._bounds = action_bounds(action_space, model.device)

    def draw(self, n_rows: int, n_successors: int, generator: torch.Generator) -> SuccessorNoise:
        """Draw the random numbers of a call.

        Args:
            n_rows: Number of pairs, B.
            n_successors: Successors that are sampled from each elite, n.
            generator: Source of randomness, on the model's device.
        """
        dtype = self._actor.flat.values.dtype
        each = (self.model.n_elites, n_successors, n_rows)
        sizes = (self.model.obs_dim, self.model.action_dim)
        device = generator.device
        return SuccessorNoise(
            *(torch.randn(*each, size, generator=generator, device=device, dtype=dtype) for size in sizes)
        )

    def __call__(self, obs: Tensor, action: Tensor, noise: SuccessorNoise) -> Tensor:
        """Compute U.

        Args:
            obs: Observations, `(B, d)`.
            action: Actions in [−1, 1], `(B, k)`.
            noise: Result of `draw`.

        Returns:
            `(B, 1)`, in units of the return.
        """
        predicted = self.model.predict(obs.float(), between(action.float(), *self._bounds), self.model.elites)
        next_obs = successors(obs, predicted, noise.obs)
        rows = row_chunks(next_obs.flatten(0, 2), noise.action.flatten(0, 2))
        values = torch.cat([self._value(*chunk) for chunk in rows])
        return spread_of_means(values.view(noise.obs.shape[:3]))[:, None]

    def _value(self, obs: Tensor, noise: Tensor) -> Tensor:
        """min_j Q̄_j(s, a) of actions that the policy samples with given noise, `(R,)`."""
        action = squashed_sample(self._actor.outputs(obs[None], self._dtype)[0], noise).action
        values = self._targets.outputs(torch.cat([obs, action], dim=1)[None], self._dtype)
        return values.amin(dim=0)[:, 0]


def check_elites(model: ModelShape) -> None:
    """Refuse a model without a second elite to differ from the first.

    Raises:
        SettingsError: A single elite.
    """
    if model.n_elites < 2:
        raise SettingsError(
            f"Inconsistency is measured between elites, so a model needs two or more, got {model.n_elites}. "
            "Fit an ensemble with a larger n_elites."
        )


def successors(obs: Tensor, predicted: Prediction, noise: Tensor) -> Tensor:
    """Sample next observations s + μ + σ·noise from each member's Gaussian.

    Args:
        obs: `(B, d)`.
        predicted: Of E members, `(E, B, 1 + d)`.
        noise: `(E, n, B, d)`.

    Returns:
        `(E, n, B, d)`, in the dtype of the noise.
    """
    mean, std = (part[:, None, :, DELTA].to(noise.dtype) for part in predicted)
    return torch.addcmul(obs + mean, std, noise)


def spread_of_means(values: Tensor) -> Tensor:
    """Unbiased standard deviation over the members of the means over samples, `(E, n, B)` to `(B,)`."""
    return values.mean(dim=1).std(dim=0, correction=1)

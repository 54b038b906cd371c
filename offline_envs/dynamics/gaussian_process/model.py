"""`GaussianProcessDynamics`: one Gaussian process for the reward and for each step of the observation."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.gaussian_process.kernel import Kernel
from offline_envs.dynamics.gaussian_process.posterior import Posterior, exact_root
from offline_envs.dynamics.gaussian_process.settings import MOST_EXACT_ROWS
from offline_envs.dynamics.prediction import Prediction
from offline_envs.dynamics.uncertainty.measures import Measure, max_std
from offline_envs.kernels import is_traced

LARGEST_COVARIANCE = 2**22
"""Covariances of outputs, points and rows that are computed together: 32 MB, to stay near the cache."""


class GaussianProcessDynamics(nn.Module):
    """A Gaussian process for each of (reward, next_obs − obs), over (obs, action); a `DynamicsModel`.

    A single member whose deviation is √(epistemic² + noise²): the first depends on (obs, action) and grows
    away from the data, the second is constant for each output. It is the baseline in table 1 of Chua et al.
    2018 (PETS). PyTorch computes the predictions, in float64; gpytorch is only needed for the fit.

    Args:
        action_dim: Number of action dimensions, k.
        posterior: The processes of the 1 + d outputs, in standardised units.
        normalizer: Mean and deviation of (obs, action).
        scaler: Mean and deviation of (reward, next_obs − obs).
        exact: Whether the posterior is that of `exact_posterior`, so that its root need not be stored.
    """

    length_scales: Tensor
    variance: Tensor
    noise: Tensor
    points: Tensor
    weights: Tensor
    root: Tensor
    elites: Tensor

    n_members, n_elites, probabilistic = 1, 1, True

    def __init__(
        self,
        action_dim: int,
        posterior: Posterior,
        *,
        normalizer: Normalizer,
        scaler: Normalizer,
        exact: bool,
    ) -> None:
        super().__init__()
        self.obs_dim, self.action_dim, self.exact = len(posterior.weights) - 1, action_dim, exact
        self.normalizer, self.scaler = normalizer, scaler
        for name, tensor in posterior.kernel._asdict().items():
            self.register_buffer(name, tensor)
        self.register_buffer("points", posterior.points)
        self.register_buffer("weights", posterior.weights)
        self.register_buffer("root", posterior.root, persistent=not exact)
        device = posterior.points.device
        self.register_buffer("elites", torch.zeros(1, dtype=torch.int64, device=device), persistent=False)

    def __deepcopy__(self, memo: dict[int, object]) -> "GaussianProcessDynamics":
        # Gymnasium copies every keyword of an environment several times; `copy` makes a deliberate copy.
        del memo  # Unused.
        return self

    @property
    def device(self) -> torch.device:
        """Device of the computation."""
        return self.points.device

    @property
    def posterior(self) -> Posterior:
        """The processes, in standardised units."""
        kernel = Kernel(self.length_scales, self.variance, self.noise)
        return Posterior(kernel, self.points, self.weights, self.root)

    @property
    def noise_std(self) -> Tensor:
        """Deviation of the noise of (reward, next_obs − obs), float32 `(1 + d,)`, raw units."""
        return self.noise.sqrt().float() * self.scaler.std

    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """Predict the next step, see `DynamicsModel.predict`.

        Args:
            obs: Observations, float32 `(B, d)`, on the model's device.
            action: Actions in the environment's units, float32 `(B, k)`.
            members: Zeros, int64 `(M,)`; None for the one member.

        Returns:
            Mean and deviation, noise included, float32 `(1, B, 1 + d)`, or `(M, B, 1 + d)`, in raw units.
        """
        mean, variance = self._moments(obs, action)
        std = (variance + self.noise).sqrt().float() * self.scaler.std
        prediction = Prediction((mean.float() * self.scaler.std + self.scaler.mean)[None], std[None])
        return prediction if members is None else prediction.members(members)

    def epistemic_std(self, obs: Tensor, action: Tensor) -> Tensor:
        """Deviation of (reward, next_obs − obs) without the noise of a step, which more data reduce.

        Args:
            obs: Observations, float32 `(B, d)`, on the model's device.
            action: Actions, float32 `(B, k)`.

        Returns:
            float32 `(B, 1 + d)`, in raw units.
        """
        return self._moments(obs, action)[1].sqrt().float() * self.scaler.std

    def epistemic_measure(self) -> Measure:
        """A measure for `MEASURES`: ‖epistemic deviation‖₂, in raw units. It fits this model only."""

        def epistemic(prediction: Prediction) -> Tensor:
            variance = (prediction.std.square() - self.noise_std.square()).clamp(min=0)
            return max_std(Prediction(prediction.mean, variance.sqrt()))

        return Measure(epistemic, needs_variance=True)

    def copy(self) -> Self:
        """An independent model with the same predictions."""
        tensors = {name: tensor.clone() for name, tensor in self.named_buffers()}
        return self._of(self.card(), tensors)

    def card(self) -> dict[str, Any]:
        """Return what `from_card` needs besides the tensors, as JSON values."""
        return {"obs_dim": self.obs_dim, "action_dim": self.action_dim, "exact": self.exact}

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Build the model, on the CPU, from the results of `card` and `state_dict`.

        Raises:
            KeyError, TypeError, RuntimeError: They do not match.
        """
        _check_shapes(card, tensors)
        if not card["exact"]:
            return cls._of(card, tensors)
        kernel = Kernel(tensors["length_scales"], tensors["variance"], tensors["noise"])
        return cls._of(card, {**tensors, "root": exact_root(kernel, tensors["points"])})

    @classmethod
    def _of(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        n_inputs, n_outputs = card["obs_dim"] + card["action_dim"], 1 + card["obs_dim"]
        kernel = Kernel(tensors["length_scales"], tensors["variance"], tensors["noise"])
        posterior = Posterior(kernel, tensors["points"], tensors["weights"], tensors["root"])
        normalizer = _normalizer(n_inputs, tensors, "normalizer")
        scaler = _normalizer(n_outputs, tensors, "scaler")
        model = cls(
            card["action_dim"], posterior, normalizer=normalizer, scaler=scaler, exact=bool(card["exact"])
        )
        return model.eval()

    @torch.no_grad()
    def _moments(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance without noise in standardised units, float64 `(B, 1 + d)`, in chunks."""
        posterior = self.posterior
        inputs = self.normalizer(torch.cat([obs, action], dim=-1)).double()
        if is_traced():  # a graph is for any number of rows
            mean, variance = posterior(inputs)
            return mean.T, variance.T
        size = max(1, LARGEST_COVARIANCE // posterior.weights.numel())
        parts = [posterior(chunk) for chunk in torch.split(inputs, size)]
        mean, variance = (torch.cat(part, dim=1).T for part in zip(*parts, strict=True))
        return mean, variance


def _check_shapes(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors of other shapes than the card's before a matrix of the points is computed."""
    q, n_outputs = card["obs_dim"] + card["action_dim"], 1 + card["obs_dim"]
    m = tensors["weights"].shape[-1]
    if m > MOST_EXACT_ROWS and card["exact"]:
        raise RuntimeError(f"{m} rows, where an exact process has at most {MOST_EXACT_ROWS}")
    expected: dict[str, tuple[int, ...]] = {
        "length_scales": (n_outputs, q),
        "variance": (n_outputs,),
        "noise": (n_outputs,),
        "points": (1 if card["exact"] else n_outputs, m, q),
        "weights": (n_outputs, m),
        **({} if card["exact"] else {"root": (n_outputs, m, m)}),
    }
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise RuntimeError(f"{name} of shape {tuple(tensors[name].shape)} instead of {shape}")


def _normalizer(size: int, tensors: Mapping[str, Tensor], name: str) -> Normalizer:
    normalizer = Normalizer(size).to(tensors[f"{name}.mean"].device)
    normalizer.load_state_dict({key: tensors[f"{name}.{key}"] for key in ("mean", "std")})
    return normalizer

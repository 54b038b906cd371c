"""`EnsembleDynamics`: probabilistic networks that predict the next step, all members in one call."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from offline_envs.dynamics.ensemble.hidden import ACTIVATIONS, Hidden, MemberLayerNorm
from offline_envs.dynamics.ensemble.layers import LogVarianceBounds, MemberLinear, Normalizer
from offline_envs.dynamics.ensemble.networks import networks, rounded_networks
from offline_envs.dynamics.ensemble.settings import EnsembleSettings
from offline_envs.dynamics.prediction import Prediction
from offline_envs.kernels import is_traced, linear

APART_FROM = 256
"""Rows from which a CPU computes one member after the other; with fewer, each product is too small."""


MemberLayers = tuple[tuple[Tensor, Tensor], ...]
"""Weight `(n_inputs, n_outputs)` and bias `(1, n_outputs)` of each layer of one member."""


class EnsembleDynamics(nn.Module):
    """N networks from (obs, action) to a Gaussian over (reward, next_obs − obs).

    Chua et al. 2018 (PETS), section 4, with the sizes of Yu et al. 2020 (MOPO), appendix D. Inputs are
    standardised, outputs are in raw units. Members are the leading axis of every weight.

    Args:
        obs_dim: Number of observation dimensions, d.
        action_dim: Number of action dimensions, k.
        settings: Shape of the ensemble.
        seed: Seed of the initial weights.
    """

    elites: Tensor

    def __init__(
        self, obs_dim: int, action_dim: int, *, settings: EnsembleSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        settings = settings or EnsembleSettings()
        self.obs_dim, self.action_dim, self.settings = obs_dim, action_dim, settings
        self.n_outputs = 1 + obs_dim
        generator = torch.Generator().manual_seed(seed)
        widths = (obs_dim + action_dim, *settings.hidden)
        n = settings.n_members
        self.normalizer = Normalizer(widths[0])
        self.trunk = nn.ModuleList(MemberLinear(n, i, o, generator=generator) for i, o in pairwise(widths))
        self.norms = nn.ModuleList(MemberLayerNorm(n, o) for o in widths[1:] if settings.layer_norm)
        self.heads = nn.ModuleList(
            MemberLinear(n, widths[-1], width, generator=generator) for width in self._head_widths()
        )
        low, high = settings.logvar_bounds
        bounds = LogVarianceBounds(self.n_outputs, low=low, high=high)
        self.bounds = bounds if settings.probabilistic else None
        self.register_buffer("elites", torch.arange(settings.n_elites))

    def __deepcopy__(self, memo: dict[int, object]) -> "EnsembleDynamics":
        # Gymnasium copies every keyword of an environment several times; `copy` makes a deliberate copy.
        del memo  # Unused.
        return self

    @property
    def n_members(self) -> int:
        """Number of members, N."""
        return self.settings.n_members

    @property
    def n_elites(self) -> int:
        """Number of members that transitions are drawn from, E."""
        return self.settings.n_elites

    @property
    def probabilistic(self) -> bool:
        """Whether members predict a variance."""
        return self.settings.probabilistic

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.elites.device

    def _head_widths(self) -> tuple[int, ...]:
        if not self.settings.probabilistic:
            return (self.n_outputs,)
        return (self.n_outputs, self.n_outputs) if self.settings.separate_heads else (2 * self.n_outputs,)

    def _head_layers(self) -> list[MemberLinear]:
        return [cast("MemberLinear", head) for head in self.heads]  # `ModuleList` does not say what it holds

    def _head(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of all heads side by side: one product is faster than two narrow ones."""
        heads = self._head_layers()
        if len(heads) == 1:
            return heads[0].weight, heads[0].bias
        return torch.cat([h.weight for h in heads], dim=-1), torch.cat([h.bias for h in heads], dim=-1)

    def forward(self, inputs: Tensor, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor | None]:
        """Predict from standardised inputs, with gradients; used by the fit.

        Args:
            inputs: Standardised (obs, action), `(N, B, d + k)`.
            dtype: Dtype of the hidden layers, see `rounded_networks`; float32 does not round.

        Returns:
            Mean and log-variance of (reward, next_obs − obs), `(N, B, 1 + d)` each; the log-variance is None
            for deterministic members.
        """
        layers, hidden = self._layers(), self._hidden()
        if dtype == torch.float32:
            outputs = networks(inputs, layers, hidden)
        else:
            outputs = rounded_networks(inputs, layers, dtype, hidden)
        if self.bounds is None:
            return outputs, None
        mean, logvar = torch.split(outputs, self.n_outputs, dim=-1)
        return mean, self.bounds(logvar)

    @torch.no_grad()
    def predict(self, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
        """Predict the next step, without gradients.

        On a CPU a member's predictions are bit-identical whichever other members are asked. A graph of it,
        by `torch.compile` or `torch.export`, holds one batched product a layer, for any number of rows.

        Args:
            obs: Observations, float32 `(B, d)`, on the ensemble's device.
            action: Actions, float32 `(B, k)`.
            members: Index of the M members to ask, int64 `(M,)`, on the same device; None for all.

        Returns:
            Mean and standard deviation of each of them, `(M, B, 1 + d)`.
        """
        inputs = self.normalizer(torch.cat([obs, action], dim=-1))
        if is_traced() or inputs.device.type != "cpu":
            return self._gaussian(self._together(inputs, members))
        if len(inputs) < APART_FROM:
            everyone = self._gaussian(self._together(inputs, None))
            return everyone if members is None else everyone.members(members)
        return self._apart(inputs, range(self.n_members) if members is None else members.tolist())

    def predict_with_gradients(
        self, obs: Tensor, action: Tensor, members: Tensor | None = None
    ) -> Prediction:
        """Predict by operations that autograd follows to any order, see `Differentiable`.

        Args:
            obs: See `predict`.
            action: See `predict`.
            members: See `predict`.
        """
        values = self.normalizer(torch.cat([obs, action], dim=-1))[None]
        *trunk, (weight, bias) = self._layers_of(members)
        hidden = self._hidden().of(members)
        for depth, (layer_weight, layer_bias) in enumerate(trunk):
            values = values.expand(len(weight), -1, -1)
            values = hidden(depth, torch.baddbmm(layer_bias, values, layer_weight))
        return self._gaussian(torch.baddbmm(bias, values, weight))

    @torch.no_grad()
    def predict_rounded(
        self, obs: Tensor, action: Tensor, members: Tensor | None = None, *, dtype: torch.dtype
    ) -> Prediction:
        """Predict with hidden layers computed in `dtype`, as `rounded_networks` does, on any device.

        Args:
            obs: See `predict`.
            action: See `predict`.
            members: See `predict`.
            dtype: Dtype of the hidden layers' weights, biases and activations.

        Returns:
            Mean and standard deviation of each member, float32 `(M, B, 1 + d)`.
        """
        inputs = self.normalizer(torch.cat([obs, action], dim=-1))
        hidden = self._hidden().of(members)
        return self._gaussian(rounded_networks(inputs[None], self._layers_of(members), dtype, hidden))

    @torch.no_grad()
    def predict_own(self, obs: Tensor, action: Tensor, member: Tensor) -> Prediction:
        """Predict each row by its own member, without gradients.

        Rows are grouped by member, so it costs as much as a single member. Group sizes are read on
        the host, which waits for a GPU.

        Args:
            obs: Observations, float32 `(B, d)`, on the ensemble's device.
            action: Actions, float32 `(B, k)`.
            member: Index of each row's member, int64 `(B,)`, on the same device.

        Returns:
            Mean and standard deviation, `(B, 1 + d)`.
        """
        inputs = self.normalizer(torch.cat([obs, action], dim=-1))
        sizes = torch.bincount(member, minlength=self.n_members).tolist()
        groups = torch.split(torch.argsort(member), sizes)
        members, hidden = self._apart_layers(), self._hidden()
        # The same library as in `predict`, so that both round alike in most rows.
        product = functional.linear if len(inputs) < APART_FROM else linear
        whole = Prediction(*inputs.new_empty(2, len(inputs), self.n_outputs))
        for i, (layers, rows) in enumerate(zip(members, groups, strict=True)):
            if len(rows):
                part = self._gaussian(_forward_one(inputs[rows], layers, hidden.of(i), product))
                whole.mean[rows], whole.std[rows] = part
        return whole

    def _together(self, inputs: Tensor, members: Tensor | None) -> Tensor:
        """Compute outputs `(M, B, width)` by one batched product a layer."""
        *trunk, (weight, bias) = self._layers_of(members)
        hidden = self._hidden().of(members)
        values = inputs.expand(len(weight), -1, -1)
        for depth, (layer_weight, layer_bias) in enumerate(trunk):
            # Product first: without gradients this is faster than the fused `baddbmm`.
            values = hidden(depth, torch.bmm(values, layer_weight).add_(layer_bias), inplace=True)
        return torch.bmm(values, weight).add_(bias)

    def _apart(self, inputs: Tensor, members: Sequence[int]) -> Prediction:
        """Compute one member after the other, so that activations stay in a CPU's cache."""
        layers, hidden = self._apart_layers(), self._hidden()
        whole = Prediction(*inputs.new_empty(2, len(members), len(inputs), self.n_outputs))
        for row, i in enumerate(members):
            outputs = _forward_one(inputs, layers[i], hidden.of(i), linear)
            whole.mean[row], whole.std[row] = self._gaussian(outputs)
        return whole

    def _apart_layers(self) -> list[MemberLayers]:
        """Weight and bias of every layer of each member, the head last."""
        by_layer = [list(zip(weight, bias, strict=True)) for weight, bias in self._layers()]
        return list(zip(*by_layer, strict=True))

    def _gaussian(self, outputs: Tensor) -> Prediction:
        """Mean and deviation from the last layer's outputs, `(..., width)`."""
        if self.bounds is None:
            return Prediction(outputs, torch.zeros_like(outputs))
        mean, logvar = torch.split(outputs, self.n_outputs, dim=-1)
        return Prediction(mean, self.bounds.std(logvar))

    def _hidden(self) -> Hidden:
        """What follows the product of each hidden layer of all members."""
        norms = [cast("MemberLayerNorm", norm) for norm in self.norms]
        return Hidden(ACTIVATIONS[self.settings.activation], [(norm.gain, norm.shift) for norm in norms])

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of every layer of all members, the head last."""
        trunk = [
            cast("MemberLinear", layer) for layer in self.trunk
        ]  # `ModuleList` does not say what it holds
        return [*((layer.weight, layer.bias) for layer in trunk), self._head()]

    def _layers_of(self, members: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """The same for some members, int64 `(M,)`, or for all."""
        if members is None:
            return self._layers()
        return [(weight[members], bias[members]) for weight, bias in self._layers()]

    @torch.no_grad()
    def rescale_outputs(self, mean: Tensor, std: Tensor) -> None:
        """Make the ensemble predict y · std + mean wherever it predicted y, in place.

        Args:
            mean: Shift of each output, `(1 + d,)`, on the ensemble's device.
            std: Positive factor of each output, `(1 + d,)`.
        """
        first, last = self._head_layers()[0], self._head_layers()[-1]
        first.weight[..., : self.n_outputs].mul_(std)
        first.bias[..., : self.n_outputs].mul_(std).add_(mean)
        if self.bounds is None:
            return
        shift = 2 * std.log()  # log-variance and its soft bounds move together
        for moved in (last.bias[..., -self.n_outputs :], self.bounds.low, self.bounds.high):
            moved.add_(shift)

    def copy(self) -> "EnsembleDynamics":
        """An independent ensemble with the same members, elites and normaliser."""
        twin = EnsembleDynamics(self.obs_dim, self.action_dim, settings=self.settings)
        twin.load_state_dict(self.state_dict())
        return twin.to(self.device)

    def card(self) -> dict[str, Any]:
        """Dimensions, settings and elites, as JSON values; see `DynamicsModel.card`."""
        return {
            "obs_dim": self.obs_dim,
            "action_dim": self.action_dim,
            "settings": self.settings.to_json(),
            "elites": self.elites.tolist(),
        }

    @classmethod
    def from_card(cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "EnsembleDynamics":
        """Build the ensemble from its card and its tensors, frozen; see `DynamicsModel.from_card`."""
        settings = EnsembleSettings.from_json(card["settings"])
        ensemble = cls(card["obs_dim"], card["action_dim"], settings=settings)
        ensemble.load_state_dict(dict(tensors))
        return ensemble.eval().requires_grad_(False)


def _forward_one(
    inputs: Tensor, layers: MemberLayers, hidden: Hidden, product: Callable[..., Tensor]
) -> Tensor:
    """Outputs `(B, width)` of one member for `(B, d + k)`, without gradients."""
    *trunk, (weight, bias) = layers
    values = inputs
    for depth, (layer_weight, layer_bias) in enumerate(trunk):
        values = hidden(depth, product(values, layer_weight.t(), layer_bias[0]), inplace=True)
    return product(values, weight.t(), bias[0])

"""`fused_or_plain`: an ensemble's prediction by one kernel for all layers, where that is possible."""

import warnings
from functools import partial
from typing import cast

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.ensemble.layers import LogVarianceBounds, MemberLinear
from offline_envs.dynamics.ensemble.precision import PRECISIONS, Predictor, predictor
from offline_envs.dynamics.model import DynamicsModel
from offline_envs.dynamics.prediction import Prediction
from offline_envs.kernels import WIDEST_FUSED, GaussianNetworks, fused_gaussian, has_triton, is_traced

OLDEST_DEVICE = (9, 0)
"""Least compute capability; before it, compilers keep most values of float32 outside the registers."""


def fused_or_plain(model: DynamicsModel, precision: str) -> Predictor:
    """Return what predicts a model in a precision: one kernel for all layers or, where it cannot, PyTorch.

    Args:
        model: The model; its weights may change later, its shape and its device may not.
        precision: A key of `PRECISIONS`.

    Raises:
        SettingsError: No precision has the name.

    Warns:
        UserWarning: The kernel cannot predict this model here.
    """
    plain = predictor(precision, model.device)
    reason = obstacle(model)
    if reason is None:
        return partial(predict_fused, precision=precision)
    warnings.warn(f"fused=True has no effect: {reason}. The model is computed layer by layer.", stacklevel=3)
    return plain


def obstacle(model: DynamicsModel) -> str | None:
    """What keeps the kernel from predicting a model on its device, in words; None where nothing does."""
    if not isinstance(model, EnsembleDynamics):
        return f"{type(model).__name__} is not an ensemble"
    return _obstacle_in_shape(model) or _obstacle_here(model.device)


def _obstacle_in_shape(ensemble: EnsembleDynamics) -> str | None:
    settings, sizes = ensemble.settings, (ensemble.obs_dim + ensemble.action_dim, ensemble.n_outputs)
    widest = max(*settings.hidden, *sizes)
    if not settings.probabilistic:
        return "the kernel predicts a variance, and probabilistic=False has none"
    if settings.layer_norm or settings.activation != "silu":
        norm = "with" if settings.layer_norm else "without"
        return f"the kernel has SiLU without layer_norm, not {settings.activation!r} {norm} layer_norm"
    if widest > WIDEST_FUSED:
        return f"a layer of the kernel is at most {WIDEST_FUSED} wide, not {widest}"
    return None


def _obstacle_here(device: torch.device) -> str | None:
    if device.type != "cuda" or torch.version.hip is not None:
        return f"the kernel is for CUDA devices, and the model is on {device}"
    if (found := torch.cuda.get_device_capability(device)) < OLDEST_DEVICE:
        needed, own = (".".join(map(str, capability)) for capability in (OLDEST_DEVICE, found))
        return f"the kernel needs compute capability {needed}, and {device} has {own}"
    if not has_triton():
        return "Triton is not installed"
    return None


def predict_fused(
    model: DynamicsModel, obs: Tensor, action: Tensor, members: Tensor | None = None, *, precision: str
) -> Prediction:
    """Predict by one kernel, without gradients, see `fused_gaussian`.

    A graph of it, by `torch.compile` or `torch.export`, holds PyTorch's operations instead.

    Args:
        model: An ensemble that has no `obstacle`.
        obs: See `EnsembleDynamics.predict`, as for the next two.
        action: Actions.
        members: Members.
        precision: A key of `PRECISIONS`.
    """
    if is_traced():
        return PRECISIONS[precision](model, obs, action, members)
    networks = networks_of(cast(EnsembleDynamics, model))
    return Prediction(*fused_gaussian(networks, obs, action, members, precision=precision))


def networks_of(ensemble: EnsembleDynamics) -> GaussianNetworks:
    """The parameters of a probabilistic ensemble as the kernel takes them; it shares their memory."""
    trunk, heads = (
        [cast(MemberLinear, layer) for layer in part] for part in (ensemble.trunk, ensemble.heads)
    )
    first, last, n = heads[0], heads[-1], ensemble.n_outputs
    bounds = cast(LogVarianceBounds, ensemble.bounds)
    return GaussianNetworks(
        ensemble.normalizer.mean,
        ensemble.normalizer.std,
        [(layer.weight, layer.bias) for layer in trunk],
        (first.weight[..., :n], first.bias[..., :n]),
        (last.weight[..., -n:], last.bias[..., -n:]),
        bounds.low,
        bounds.high,
    )

"""How precisely a step computes its matrix products: pure functions from pairs to predictions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble import EnsembleDynamics
from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import unknown_name

Predictor = Callable[[EnsembleDynamics, Tensor, Tensor, Tensor | None], Prediction]
"""`predictor(ensemble, obs, action, members)`, with the shapes of `EnsembleDynamics.predict`."""


def float32(
    ensemble: EnsembleDynamics, obs: Tensor, action: Tensor, members: Tensor | None = None
) -> Prediction:
    """Predict with PyTorch's own settings, which are float32 throughout unless somebody changed them."""
    return ensemble.predict(obs, action, members)


def tf32(
    ensemble: EnsembleDynamics, obs: Tensor, action: Tensor, members: Tensor | None = None
) -> Prediction:
    """Predict with factors rounded to TF32 (10 bits of 23), on the CUDA devices that have it.

    Elsewhere this is `float32`. PyTorch has one switch for all products, which is back where it was
    afterwards; a captured graph keeps the kernels that it was captured with.
    """
    with tf32_products():
        return ensemble.predict(obs, action, members)


def bfloat16(
    ensemble: EnsembleDynamics, obs: Tensor, action: Tensor, members: Tensor | None = None
) -> Prediction:
    """Predict with weights and activations rounded to bfloat16 (7 bits of 23), on any device.

    Sums within a product, and all that comes before and after the layers, are float32. Weights are rounded
    at every call, so that the prediction follows whoever changes them.
    """
    return ensemble.predict_rounded(obs, action, members, dtype=torch.bfloat16)


PRECISIONS: Mapping[str, Predictor] = MappingProxyType(
    {"float32": float32, "tf32": tf32, "bfloat16": bfloat16}
)
"""Every precision by the name that the `precision` setting of an environment takes."""


def predictor(name: str) -> Predictor:
    """The function that predicts in the precision of that name.

    Raises:
        SettingsError: No precision has the name.
    """
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    return PRECISIONS[name]


@contextmanager
def tf32_products() -> Iterator[None]:
    """Let CUDA devices round the factors of float32 products to TF32, for a while."""
    switches: Any = torch.backends.cuda.matmul
    # PyTorch 2.8 knows the older name alone; later ones refuse to read it where the newer was written.
    name, value = ("fp32_precision", "tf32") if hasattr(switches, "fp32_precision") else ("allow_tf32", True)
    before = getattr(switches, name)
    setattr(switches, name, value)
    try:
        yield
    finally:
        setattr(switches, name, before)

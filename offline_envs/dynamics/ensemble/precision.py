"""The precision of a step's matrix products: pure functions from pairs to predictions.

The effect of rounding on the embedded dataset, with the default ensemble after 30 epochs, whose error was
0.18 of the data's deviation: root mean square over rows and members of the change of a mean, in the worst
output. TF32 was emulated on a CPU by rounding the factors of every product.

| precision | in predicted deviations | in the data's | change of predicted deviations: mean, largest |
|---|---|---|---|
| `tf32` | 0.017 | 0.0019 | 0.01 %, 0.8 % |
| `bfloat16` | 0.16 | 0.017 | 0.1 %, 7 % |
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from offline_envs.dynamics.ensemble.ensemble import EnsembleDynamics
from offline_envs.dynamics.model import DynamicsModel
from offline_envs.dynamics.prediction import Prediction
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import HIDDEN_DTYPES, tf32_products

Predictor = Callable[[DynamicsModel, Tensor, Tensor, Tensor | None], Prediction]
"""`predictor(model, obs, action, members)`, with the shapes of `DynamicsModel.predict`."""


def float32(model: DynamicsModel, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
    """Predict with PyTorch's own settings, which are float32 throughout unless changed."""
    return model.predict(obs, action, members)


def tf32(model: DynamicsModel, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
    """Predict with factors rounded to TF32 (10 bits of 23), on CUDA devices that support it.

    Elsewhere this is `float32`. PyTorch has one switch for all products, which is restored
    afterwards; a captured graph keeps the kernels of its capture.
    """
    with tf32_products():
        return model.predict(obs, action, members)


def bfloat16(model: DynamicsModel, obs: Tensor, action: Tensor, members: Tensor | None = None) -> Prediction:
    """Predict with hidden layers rounded to bfloat16 (7 bits of 23), on any device.

    Sums within a product are float32, unless PyTorch's `allow_bf16_reduced_precision_reduction`, which is on
    by default, lets a GPU round partial sums.
    """
    if not isinstance(model, EnsembleDynamics):
        raise SettingsError(
            f"precision='bfloat16' rounds the hidden layers of an ensemble, and {type(model).__name__} is "
            "not one. Use precision='float32'."
        )
    return model.predict_rounded(obs, action, members, dtype=HIDDEN_DTYPES["bfloat16"])


PRECISIONS: Mapping[str, Predictor] = MappingProxyType(
    {"float32": float32, "tf32": tf32, "bfloat16": bfloat16}
)
"""Every precision by the name that the `precision` setting of an environment takes."""


def predictor(name: str, device: torch.device) -> Predictor:
    """Return the function that predicts in a precision on a device; TF32 is float32 without CUDA.

    Raises:
        SettingsError: No precision has the name.
    """
    if not isinstance(name, str) or name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    return float32 if name == "tf32" and device.type != "cuda" else PRECISIONS[name]

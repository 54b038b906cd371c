"""Fast building blocks of tensor code: matrix products, norms, CUDA graphs, rounding, whole networks."""

from offline_envs.kernels.branches import side_by_side
from offline_envs.kernels.captured_call import CapturedCall
from offline_envs.kernels.flat_parameters import FlatAdam, FlatParameters
from offline_envs.kernels.fused_gaussian import (
    WIDEST_FUSED,
    GaussianNetworks,
    fused_gaussian,
    has_triton,
)
from offline_envs.kernels.input_slopes import InputSlopes
from offline_envs.kernels.layer_norm import layer_norm, norm_gradient, normed_rows
from offline_envs.kernels.products import affine, calls_onednn, linear
from offline_envs.kernels.rounding import (
    HIDDEN_DTYPES,
    products_of,
    rounded_products,
    tf32_products,
    warn_of_emulation,
)
from offline_envs.kernels.stacked_mlp import ACTIVATIONS, Block, StackedMLP
from offline_envs.kernels.tracing import is_traced

__all__ = [
    "ACTIVATIONS",
    "HIDDEN_DTYPES",
    "WIDEST_FUSED",
    "Block",
    "CapturedCall",
    "FlatAdam",
    "FlatParameters",
    "GaussianNetworks",
    "InputSlopes",
    "StackedMLP",
    "affine",
    "calls_onednn",
    "fused_gaussian",
    "has_triton",
    "is_traced",
    "layer_norm",
    "linear",
    "norm_gradient",
    "normed_rows",
    "products_of",
    "rounded_products",
    "side_by_side",
    "tf32_products",
    "warn_of_emulation",
]

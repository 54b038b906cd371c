"""The precisions of matrix products by name, and their support by PyTorch and the processor."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import MappingProxyType
from typing import Any

import torch

HIDDEN_DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
)
"""The dtype of hidden layers by the name that the `precision` setting takes."""


@contextmanager
def tf32_products() -> Iterator[None]:
    """Let CUDA devices round the factors of float32 products to TF32 inside the context."""
    switches: Any = torch.backends.cuda.matmul
    # PyTorch 2.8 has only the older name; later versions refuse to read it once the newer one was written.
    name, value = ("fp32_precision", "tf32") if hasattr(switches, "fp32_precision") else ("allow_tf32", True)
    before = getattr(switches, name)
    setattr(switches, name, value)
    try:
        yield
    finally:
        setattr(switches, name, before)


@contextmanager
def bfloat16_products() -> Iterator[None]:
    """Let processors with AMX round the factors of float32 products to bfloat16 inside.

    Sums are float32. On other processors, also those with AVX512_BF16 alone, for which oneDNN has no such
    product, and on CUDA devices nothing is rounded.
    """
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is None:  # PyTorch 2.8 has one switch for all devices
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
    else:
        before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
    try:
        yield
    finally:
        if matmul is None:
            torch.set_float32_matmul_precision(before)
        else:
            matmul.fp32_precision = before


@contextmanager
def rounded_products(precision: str) -> Iterator[None]:
    """Let all float32 products inside have a precision where the device can: bfloat16 is TF32 on CUDA.

    Args:
        precision: A key of `HIDDEN_DTYPES`.
    """
    with ExitStack() as stack:
        if precision != "float32":
            stack.enter_context(tf32_products())
        if precision == "bfloat16":
            stack.enter_context(bfloat16_products())
        yield


def products_of(precision: str) -> AbstractContextManager[None]:
    """Return the context in which float32 products have a precision."""
    return tf32_products() if precision == "tf32" else nullcontext()


def warn_of_emulation(precision: str, device: torch.device) -> None:
    """Warn about bfloat16 on a processor that is known to lack instructions for it."""
    if HIDDEN_DTYPES[precision] == torch.bfloat16 and _emulates_bfloat16(device):
        warnings.warn(
            'precision="bfloat16" on a processor without instructions for it takes up to ten times as long '
            'as "float32".',
            stacklevel=4,  # past the check of the arguments of `fit`
        )


def _emulates_bfloat16(device: torch.device) -> bool:
    find: Callable[[], Mapping[str, Any]] | None = getattr(torch.cpu, "get_capabilities", None)
    if device.type != "cpu" or find is None:  # PyTorch 2.8 cannot tell
        return False
    found = find()
    has_it = found.get("avx512_bf16", True) or found.get("amx_bf16", False)
    return found.get("architecture") == "x86_64" and not has_it

"""What tests have to know of PyTorch's version."""

import pytest
import torch

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])

needs_new_compiler = pytest.mark.skipif(TORCH < (2, 13), reason="PyTorch 2.8 cannot compile these, 2.13 can")

NEWER = hasattr(torch.backends.cuda.matmul, "fp32_precision")
TF32_SWITCH, TF32_ON = ("fp32_precision", "tf32") if NEWER else ("allow_tf32", True)
"""The switch of `torch.backends.cuda.matmul`, of which PyTorch 2.8 has only the older name, and its value."""

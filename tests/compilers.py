"""What a test needs that compiles."""

import pytest
import torch

TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])

needs_new_compiler = pytest.mark.skipif(TORCH < (2, 13), reason="PyTorch 2.8 cannot compile these, 2.13 can")

"""`is_traced`: whether operations are recorded into a graph at the moment, rather than carried out."""

import torch


def is_traced() -> bool:
    """Whether the call is being compiled, exported or traced.

    A graph is kept for other batches, other machines and other programs than the one that records it. So it
    must hold neither a choice that was made for this processor or this number of rows, nor an operator that
    only PyTorch has.
    """
    # ONNX files are written by way of torch.export, or of a trace. `torch.onnx.is_in_onnx_export` is slow.
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]

"""`write_onnx`: a module as an ONNX file, compared with PyTorch before it is written."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from offline_envs import __version__
from offline_envs.errors import OfflineEnvsError, SettingsError
from offline_envs.files import write_bytes

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

TOLERANCE = 2e-5
"""Largest difference between ONNX Runtime and PyTorch, of an output's largest number or of 1."""

N_ROWS = 5
"""Rows of the inputs that a module is traced with; one row alone would become a constant of the graph."""

NOISY = "torch.onnx._internal.exporter._registration"
"""Logger that warns of packages for pictures which are not installed."""


def check_onnx() -> None:
    """Refuse to begin where packages are missing.

    Raises:
        SettingsError: One of `PACKAGES` is.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"ONNX files need {', '.join(missing)}, not installed here: pip install 'offline-envs[onnx]'."
        )


def write_onnx(
    file: Path,
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    about: Mapping[str, Any],
    summary: str,
) -> None:
    """Write a module as an ONNX file whose number of rows is free, atomically.

    Args:
        file: The file; one that is there is replaced.
        module: The module, in evaluation mode, on the CPU.
        inputs: Example inputs by name, `(N_ROWS, ...)` each; the file is compared with the module on them.
        outputs: Names of the module's outputs.
        about: Metadata by name, as JSON values; a text stays as it is.
        summary: What the file is, in a sentence or two.

    Raises:
        SettingsError: A package is missing, or the module cannot be exported.
        OfflineEnvsError: ONNX Runtime computes something else than PyTorch.
        StorageError: The system does not let the file be written.
    """
    check_onnx()
    with _quiet():
        model = _traced(module, inputs, outputs)
        model.producer_name, model.producer_version, model.doc_string = "offline-envs", __version__, summary
        for name, value in about.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = name, value if isinstance(value, str) else json.dumps(value)
        content = model.SerializeToString()
        _compare(content, module, inputs, outputs)
    write_bytes(file, content)


def _traced(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> Any:
    """The module as a `ModelProto`."""
    rows = torch.export.Dim("batch")
    try:
        program: Any = torch.onnx.export(
            module,
            kwargs=dict(inputs),
            dynamo=True,
            dynamic_shapes={name: {0: rows} for name in inputs},
            input_names=list(inputs),
            output_names=list(outputs),
            verbose=False,
        )
    except Exception as error:  # torch passes on whatever a module raises while it is traced
        reason = str(error).strip().splitlines()
        raise SettingsError(
            f"It cannot be exported to ONNX: {reason[0] if reason else type(error).__name__}"
        ) from error
    assert program is not None
    return program.model_proto


def _compare(content: bytes, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
    """Run the file's contents, on all rows and on the first alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for n in (N_ROWS, 1):
        part = {name: value[:n] for name, value in inputs.items()}
        with torch.no_grad():
            expected = module(**part)
        found = session.run(list(outputs), {name: value.numpy() for name, value in part.items()})
        for name, ours, theirs in zip(outputs, expected, found, strict=True):
            apart = float((torch.as_tensor(theirs) - ours).abs().max() / ours.abs().max().clamp(min=1.0))
            if not apart <= TOLERANCE:
                raise OfflineEnvsError(
                    f"ONNX Runtime's {name} differs from PyTorch's by {apart:.1e}, more than "
                    f"{TOLERANCE:.0e}; nothing was written. Other versions of both may agree."
                )


@contextmanager
def _quiet() -> Iterator[None]:
    """Trace without PyTorch's advice to its developers, and without checks that no graph can hold."""
    logger, checks = logging.getLogger(NOISY), Distribution._validate_args
    level = logger.level
    logger.setLevel(logging.ERROR)
    Distribution.set_default_validate_args(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        Distribution.set_default_validate_args(checks)

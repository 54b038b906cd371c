"""`offline-envs export`: a fitted model or the policy of a run as a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export(
    source: Annotated[
        Path, typer.Argument(help="Folder of a model, or of a run of your own, whose policy is exported.")
    ],
    onnx: Annotated[
        Path,
        typer.Option("--onnx", help="The ONNX file to write; needs 'offline-envs\\[onnx]'.", dir_okay=False),
    ],
) -> None:
    """Write a model's predictions, or a run's policy, as an ONNX file that needs neither PyTorch nor Python.

    docs/own_models.md says what its inputs and outputs are.
    """
    from offline_envs.export import export_model, export_policy
    from offline_envs.files import check_writable, moved_by
    from offline_envs.runs import RunFolder

    check_writable(onnx.parent, "--onnx")
    is_run = RunFolder(source).settings_file.is_file()
    with moved_by("--onnx"):
        (export_policy if is_run else export_model)(source, onnx)
    Console().print(f"Wrote the {'policy' if is_run else 'model'} to {onnx}.", soft_wrap=True, markup=False)

"""Run every benchmark, each in a process of its own, and write their tables to one Markdown file."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path(__file__).parent
SCRIPTS = (
    "model_step",
    "fit_throughput",
    "run_shares",
    "agent_updates",
    "trpo_step",
    "planning",
    "device_rollout",
    "dataset_loading",
    "whole_run",
    "growth",
)
COMPARED = ("model_step", "fit_throughput", "run_shares", "agent_updates")
"""Benchmarks that can also measure OfflineRL-Kit."""


def main(
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("benchmarks.md"),
    script: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Run the benchmarks one after the other and write one Markdown file."""
    parts = ["# Benchmarks"]
    for name in script or SCRIPTS:
        options = (
            ["--offlinerl-kit", str(offlinerl_kit.resolve())] if offlinerl_kit and name in COMPARED else []
        )
        typer.echo(f"==> benchmarks/{name}.py {' '.join(options)}")
        parts.append(markdown(printed([name, *options])))
    output.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    typer.echo(f"==> Wrote {output}")


def printed(command: list[str]) -> str:
    """What a benchmark prints, wide enough for its columns.

    Raises:
        typer.Exit: It failed; what it wrote to the error stream has been shown.
    """
    name, *options = command
    result = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *options],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    if result.returncode:
        raise typer.Exit(result.returncode)
    typer.echo(result.stdout)
    return result.stdout


def markdown(text: str) -> str:
    """Turn printed tables, each with its title above it, into Markdown sections."""
    lines: list[str] = []
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("┏"):
            lines += [f"## {' '.join(words)}", ""]
            words = []
        elif line.startswith(("┃", "│")):
            cells = [cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")]
            lines.append(f"| {' | '.join(cells)} |")
            if line.startswith("┃"):
                lines.append("|" + " --- |" * len(cells))
        elif line.startswith("└"):
            lines.append("")
        elif not line.startswith(("┡", "├")) and line.strip():
            words.append(line.strip())
    return "\n".join([*lines, *words]).strip()


if __name__ == "__main__":
    typer.run(main)

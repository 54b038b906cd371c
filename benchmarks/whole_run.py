"""Where the time of a whole MOPO run goes, from the dataset to the policy, without evaluation.

The dataset is loaded, an ensemble fitted, and an agent trained in the penalised environment with MOPO's
ratio: rollouts of 5 steps, 250 model transitions a gradient step. What a full budget takes is extrapolated:
seconds an epoch times epochs, seconds a gradient step times gradient steps.

- load: reading and checking the dataset;
- fit: epochs of the ensemble, each as a fit of its own with its set-up;
- model rollouts: steps of the vector environment;
- buffer: storing what was collected, and drawing batches;
- policy: choosing actions while collecting;
- gradient: gradient steps without the drawing of batches;
- rest: the loop around them.

With `--offlinerl-kit`, OfflineRL-Kit does the same with its own code on the same rows: its fit, its rollouts
of 50 000 starts every 1000 gradient steps, its updates. The two take turns, an epoch or 1000 gradient steps
each. OfflineRL-Kit follows a rollout no further than its end, where this package starts another, so it may
collect fewer transitions; the title says how many. Its load is the copy of rows that are in memory already.
On a GPU every part is waited for, which costs a little.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from mopo_programs import STEP_PARTS, KitProgram, OwnProgram, Program
from peers import kit_ends
from rich.console import Console
from rich.table import Table
from timing import timed

from offline_envs.data import Transitions, load_transitions
from offline_envs.sb3.schedule import EPOCH_GRADIENT_STEPS

AGENTS = ("sac", "fastsac")
OWN, KIT = "offline-envs", "OfflineRL-Kit"


def main(
    dataset: Annotated[
        str, typer.Option(help="Id or path; MINARI_DATASETS_PATH says where ids are looked for.")
    ] = "offline-envs/inverteddoublependulum-replay-v0",
    agent: Annotated[str, typer.Option(help="sac or fastsac.")] = "sac",
    epochs: Annotated[int, typer.Option(help="Epochs of the fit to measure.", min=1)] = 2,
    steps: Annotated[int, typer.Option(help="Gradient steps to measure.", min=1)] = 2000,
    full_epochs: Annotated[int, typer.Option(help="Epochs to extrapolate to.", min=1)] = 30,
    full_steps: Annotated[int, typer.Option(help="Gradient steps to extrapolate to.", min=1)] = 1_000_000,
    n_envs: Annotated[int, typer.Option(help="Imagined episodes at once.", min=1)] = 500,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda, of model and agent.")] = "cpu",
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Measure a run and print a table."""
    if threads:
        torch.set_num_threads(threads)
    if agent not in AGENTS:
        raise typer.BadParameter(f"--agent must be one of {', '.join(AGENTS)}, got {agent!r}.")
    data, loading = timed(lambda: load_transitions(dataset))
    ends = ends_of(offlinerl_kit, data) if offlinerl_kit else None
    programs: dict[str, Program] = {OWN: OwnProgram(data, loading, agent, n_envs, device)}
    if offlinerl_kit:
        programs[KIT] = KitProgram(offlinerl_kit, data, ends, device)
    take_turns(list(programs.values()), epochs, steps)
    transitions = " and ".join(f"{p.transitions / p.steps:.0f}" for p in programs.values())
    title = (
        f"MOPO on {data.source}, {len(data):,} rows: {agent}, {epochs} epochs, {programs[OWN].steps:,} "
        f"gradient steps of {transitions} model transitions, {torch.get_num_threads()} threads, {device}; "
        f"extrapolated to {full_epochs} epochs and {full_steps:,} gradient steps"
    )
    Console().print(table(programs, full_epochs, full_steps, title))


def ends_of(checkout: Path, data: Transitions) -> Any:
    """OfflineRL-Kit's termination function for a dataset.

    Raises:
        typer.BadParameter: It has none that can be measured.
    """
    try:
        return kit_ends(checkout, data.env_id or "an unknown environment")
    except ValueError as error:
        raise typer.BadParameter(f"--offlinerl-kit cannot be used with this dataset. {error}") from error


def take_turns(programs: list[Program], epochs: int, steps: int) -> None:
    """Let all programs fit and train in turn, so that a busy moment hits them alike."""
    for _ in range(epochs):
        for program in programs:
            program.fit_epoch()
    for start in range(0, steps, EPOCH_GRADIENT_STEPS):
        for program in programs:
            program.train(min(EPOCH_GRADIENT_STEPS, steps - start))


def table(programs: dict[str, Program], full_epochs: int, full_steps: int, title: str) -> Table:
    """Lay out one row a part, then the parts of gradient steps together, then all."""
    grid = Table(title=title)
    grid.add_column("", no_wrap=True)
    for name in programs:
        for column in (f"{name}, s", "share", "extrapolated, s", "share"):
            grid.add_column(column, justify="right")
    for column in ["times Kit's", "extrapolated"] * (len(programs) > 1):
        grid.add_column(column, justify="right")
    measured = [program.seconds for program in programs.values()]
    full = [program.extrapolated(full_epochs, full_steps) for program in programs.values()]
    parts = list(measured[0])
    rows = {**{part: (part,) for part in parts}, "gradient steps": STEP_PARTS, "all": tuple(parts)}
    for name, own in rows.items():
        cells = []
        for pair in zip(measured, full, strict=True):
            for seconds in pair:
                spent = sum(seconds[part] for part in own)
                cells += [f"{spent:,.1f}", f"{spent / sum(seconds.values()):.1%}"]
        if len(programs) > 1:
            cells += [f"{times(both, own):.2f}x" for both in (measured, full)]
        grid.add_row(name, *cells, end_section=name == parts[-1])
    return grid


def times(both: list[dict[str, float]], parts: tuple[str, ...]) -> float:
    """Seconds of the first program for one of the second, for these parts."""
    own, kit = (sum(seconds[part] for part in parts) for seconds in both)
    return own / kit


if __name__ == "__main__":
    typer.run(main)

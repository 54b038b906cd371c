"""How often policies survive outside the model while they train, under several settings of the agent.

    python two_modes.py --model M --dataset ID --variant cosine --seed 0 --output FOLDER    # a run, resumable
    python two_modes.py --table FOLDER                                                      # all runs so far

In Hopper a checkpoint is a draw from two modes: it falls early or it lasts for the whole episode, and
episodes of one checkpoint hardly differ. So a run is evaluated often, in few episodes, and judged by the
share of its checkpoints that last. Each run also has the average of the actor's weights beside the current
ones, and the return that the model predicts, by which a checkpoint can be chosen without the real
environment.

Variants may be joined: `cosine+layer_norm`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from offline_envs.runs import MetricsRow, RunFolder, TrainSettings, merged, train

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "today": {},
    "kit_rates": {
        "actor_learning_rate": 1e-4,
        "critic_learning_rate": 3e-4,
        "temperature_learning_rate": 1e-4,
    },
    "cosine": {"actor_schedule": "cosine"},
    "gamma_0.995": {"gamma": 0.995},
    "ten_critics": {"policy_kwargs": {"n_critics": 10}},
    "layer_norm": {"critic_layer_norm": True},
}
"""What each variant changes of `FastSAC`."""

RUN_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "horizon_25": {"horizon": 25, "transitions_per_gradient_step": 250.0},  # as many as at the usual 5
}
"""What other variants change of the run."""

NAMES = ", ".join((*VARIANTS, *RUN_VARIANTS))

EMA_DECAY = 0.999
"""Of the average of the actor's weights in every run; training does not depend on it."""

AVERAGE, CHOSEN = "average", "chosen"
LAST = 10
"""Checkpoints at the end of a run over which returns are averaged."""


class Checkpoint(NamedTuple):
    """One evaluation of one policy."""

    steps: int
    """Gradient steps taken so far."""
    real: float
    """Mean return in the real environment."""
    length: float
    """Mean number of its steps."""
    predicted: float
    """Return that the model predicts."""


@dataclass(frozen=True)
class Curve:
    """The evaluations of one run by current weights, or by their average.

    Attributes:
        variant: Name of the settings, with `AVERAGE` at the end for the average.
        seed: Seed of the run.
        planned: Gradient steps that the run takes in all.
        checkpoints: The evaluations, oldest first; at least one.
    """

    variant: str
    seed: int
    planned: int
    checkpoints: Sequence[Checkpoint]

    def share_alive(self, least_length: float, bound: float | None) -> float:
        """Share of checkpoints of the last half that last for `least_length` steps or return `bound`.

        NaN before the middle of the run.
        """
        late = [point for point in self.checkpoints if point.steps > self.planned / 2]
        alive = [p.length >= least_length or (bound is not None and p.real >= bound) for p in late]
        return float(np.mean(alive)) if alive else float("nan")

    def last(self) -> list[float]:
        """Returns of the last checkpoints."""
        return [point.real for point in self.checkpoints[-LAST:]]

    def chosen(self) -> Checkpoint:
        """The checkpoint for which the model predicts most."""
        return max(self.checkpoints, key=lambda point: point.predicted)


def main(
    model: Annotated[Path | None, typer.Option(help="Folder of a fitted model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Id or path of its dataset.")] = None,
    variant: Annotated[str, typer.Option(help=f"{NAMES}, or some joined by +.")] = "today",
    seed: Annotated[int, typer.Option(help="Seed of the run.", min=0)] = 0,
    output: Annotated[Path | None, typer.Option(help="Folder of all runs.")] = None,
    table: Annotated[Path | None, typer.Option(help="Print the runs in this folder instead.")] = None,
    penalty_coef: Annotated[float, typer.Option(help="λ of MOPO.", min=0)] = 2.5,
    steps: Annotated[int, typer.Option(help="Gradient steps.", min=1)] = 50_000,
    every: Annotated[int, typer.Option(help="Gradient steps between evaluations.", min=1)] = 1_000,
    episodes: Annotated[int, typer.Option(help="Episodes of an evaluation.", min=1)] = 2,
    precision: Annotated[str, typer.Option(help="Of the agent's matrix products.")] = "float32",
    average: Annotated[
        bool, typer.Option(help="Evaluate the average of the actor's weights as well.")
    ] = True,
    choose: Annotated[str, typer.Option(help="Which policy the run ends with: last, model_raw.")] = "last",
    alive: Annotated[float, typer.Option(help="Mean length from which a checkpoint survives.")] = 900,
    bound: Annotated[float | None, typer.Option(help="Return from which it survives as well.")] = None,
) -> None:
    """Train one policy, or print what the runs so far have shown."""
    if table is not None:
        Console().print(table_of(curves_below(table), alive=alive, bound=bound))
        return
    if model is None or dataset is None or output is None:
        raise typer.BadParameter("A run needs --model, --dataset and --output; --table prints the runs.")
    settings = settings_of(
        variant,
        dataset=dataset,
        model=str(model),
        seed=seed,
        penalty_coef=penalty_coef,
        gradient_steps=steps,
        eval_every=every,
        eval_episodes=episodes,
        precision=precision,
        average=average,
        choose=choose,
    )
    result = train(settings, output / variant / f"seed-{seed}", resume=True)
    print(f"{variant}, seed {seed}: {result.real_return:.0f} ± {result.real_std:.0f}")


def settings_of(
    variant: str, *, precision: str = "float32", average: bool = True, **run: Any
) -> TrainSettings:
    """Settings of a run of MOPO with `FastSAC`.

    Args:
        variant: A variant, or several joined by "+".
        precision: Of the agent's matrix products.
        average: Whether to keep the average of the actor's weights.
        **run: Further settings of the run.
    """
    agent: dict[str, Any] = {"precision": precision, **({"actor_ema_decay": EMA_DECAY} if average else {})}
    for name in variant.split("+"):
        if name in RUN_VARIANTS:
            run = merged(run, RUN_VARIANTS[name])
        elif name in VARIANTS:
            agent = merged(agent, VARIANTS[name])
        else:
            raise typer.BadParameter(f"--variant must be of {NAMES}, got {name!r}.")
    return TrainSettings.for_algorithm(
        {"algorithm": "mopo", "agent": "fastsac", "agent_options": agent, **run}
    )


def curves_below(folder: Path) -> list[Curve]:
    """Curves of each run in a folder that has been evaluated: current weights, then their average if any."""
    curves = []
    for path in sorted(folder.glob("*/seed-*")):
        run = RunFolder(path)
        rows = run.read_metrics()
        if not rows:
            continue
        settings, variant = run.settings(), path.parent.name
        points = {variant: [_evaluated(row) for row in rows]}
        if rows[0].current_return is not None:
            points = {variant: [_current(row) for row in rows], f"{variant}, {AVERAGE}": points[variant]}
        curves += [Curve(name, settings.seed, settings.gradient_steps, own) for name, own in points.items()]
    return curves


def _current(row: MetricsRow) -> Checkpoint:
    figures = (row.current_return, row.current_length, row.current_predicted_return)
    return Checkpoint(row.gradient_steps, *(np.nan if figure is None else figure for figure in figures))


def _evaluated(row: MetricsRow) -> Checkpoint:
    predicted = np.nan if row.predicted_return is None else row.predicted_return
    return Checkpoint(row.gradient_steps, row.real_return, row.real_length, predicted)


def table_of(curves: Sequence[Curve], *, alive: float, bound: float | None) -> Table:
    """Lay out a row for each curve, and one over the seeds of each variant.

    Args:
        curves: The curves.
        alive: Mean length from which a checkpoint survives.
        bound: Return from which it survives as well; None for no such return.
    """
    grid = Table()
    for column in ("variant", "seed", "steps", "alive", f"last {LAST}", CHOSEN, "at"):
        grid.add_column(column, justify="left" if column == "variant" else "right")
    for variant in dict.fromkeys(curve.variant for curve in curves):
        own = [curve for curve in curves if curve.variant == variant]
        for curve in own:
            chosen = curve.chosen()
            grid.add_row(
                variant,
                str(curve.seed),
                str(curve.checkpoints[-1].steps),
                f"{curve.share_alive(alive, bound):.0%}",
                _spread(curve.last()),
                f"{chosen.real:.0f}",
                str(chosen.steps),
            )
        if len(own) > 1:
            grid.add_row(variant, "all", "", *_over_seeds(own, alive, bound), "", end_section=True)
    return grid


def _over_seeds(curves: Sequence[Curve], alive: float, bound: float | None) -> tuple[str, str, str]:
    """Mean share, and mean and deviation over the seeds of the last returns and of the chosen ones."""
    share = np.mean([curve.share_alive(alive, bound) for curve in curves])
    last = [float(np.mean(curve.last())) for curve in curves]
    chosen = [curve.chosen().real for curve in curves]
    return f"{share:.0%}", _spread(last), _spread(chosen)


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.0f} ± {np.std(values):.0f}"


if __name__ == "__main__":
    typer.run(main)

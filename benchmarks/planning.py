"""Plans per second against the model steps that they cannot avoid, and what a decision costs.

HalfCheetah's sizes, an unfitted ensemble of the default size. The reference is `LearnedMDP.step` on as many
rows as a planner's iteration holds, candidates times particles, whose rate is measured in turns with theirs.
A decision of PETS has 500 candidates of 30 steps with 20 particles, five times: 1.5 million model steps. What
it takes is measured over some of its steps and iterations, which are all alike, unless all are asked for.
"""

from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from model_step import world
from rich.console import Console
from rich.table import Table
from timing import best_seconds, finished
from torch import Tensor

from offline_envs.mdp import LearnedMDP
from offline_envs.planning import CEM, CEMSettings

PETS_STEPS, PETS_ITERATIONS = 30, 5
STEP, PLAN = "model step", "plan"


def main(
    candidates: Annotated[int, typer.Option(help="Plans that are evaluated together.", min=50)] = 500,
    particles: Annotated[int, typer.Option(help="Imagined episodes of each.", min=1)] = 20,
    horizon: Annotated[int, typer.Option(help="Steps of the measured plan.", min=1)] = 5,
    iterations: Annotated[int, typer.Option(help="Iterations of the measured plan.", min=1)] = 1,
    environment: Annotated[
        list[str] | None, typer.Option(help="LearnedModel-v0, ...; may be repeated.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time for each environment; at least 3 rounds.")] = 10.0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Measure plans and print a table."""
    grid = Table(title=f"CEM, {candidates} candidates x {particles} particles, HalfCheetah's sizes, {device}")
    for column in ("environment", "rows", "model steps/s", "in plans", "share", "s a PETS decision"):
        grid.add_column(column, justify="right")
    for name in environment or ("LearnedModel-v0", "PenalizedModel-v0"):
        settings = CEMSettings(
            horizon=horizon, candidates=candidates, particles=particles, iterations=iterations
        )
        grid.add_row(name, *measured(name, settings, budget=seconds, device=device))
    Console().print(grid)


def measured(name: str, settings: CEMSettings, *, budget: float, device: str) -> tuple[str, ...]:
    """The cells of a row of the table."""
    rows, n_steps = settings.candidates * settings.particles, settings.horizon * settings.iterations
    envs, *_ = world(1, name, device=device)
    mdp, space = envs.unwrapped.mdp, envs.single_action_space
    planner = CEM(mdp, space, settings)
    obs = torch.zeros(1, mdp.members.model.obs_dim, device=device)
    candidates: dict[str, Callable[[], object]] = {
        STEP: lambda: step(),
        PLAN: lambda: finished(lambda: planner(obs), device),
    }
    step = stepper(mdp, rows, device)
    best = best_seconds(candidates, budget=budget)
    a_step, in_plan = best[STEP], best[PLAN] / n_steps
    decision = in_plan * PETS_STEPS * PETS_ITERATIONS
    return (
        f"{rows:,}",
        f"{rows / a_step:,.0f}",
        f"{rows / in_plan:,.0f}",
        f"{a_step / in_plan:.0%}",
        f"{decision:.3f}",
    )


def stepper(mdp: LearnedMDP, rows: int, device: str) -> Callable[[], object]:
    """Prepare a step of the model, each row with a member of its own, as plans have."""
    model: Any = mdp.members.model
    generator = torch.Generator(device).manual_seed(0)
    obs: Tensor = torch.zeros(rows, model.obs_dim, device=device)
    action: Tensor = torch.zeros(rows, model.action_dim, device=device)
    kept = torch.arange(rows, device=device) % len(mdp.members.elites)
    return lambda: finished(lambda: mdp.step(obs, action, generator, kept), device)


if __name__ == "__main__":
    typer.run(main)

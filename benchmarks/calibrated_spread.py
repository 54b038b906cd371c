"""What `spread="calibrated"` changes: coverage, open-loop error and predicted return, before and after.

Coverage is measured on the half of the holdout that the factor was not fitted to. Open-loop errors are
medians over windows, root mean squares in deviations of the data; with a policy its real episodes give more
windows, which no fit has seen.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from offline_envs.agents import find_saved_agent
from offline_envs.data import Transitions, load_transitions, transitions_from_arrays
from offline_envs.diagnose.ground_truth.windows import Windows, recorded_windows
from offline_envs.diagnose.horizon.forecasts import Forecast, mean_forecast, sampled_forecast
from offline_envs.diagnose.horizon.open_loop import ALL_GROUP, REWARD_GROUP, group_errors
from offline_envs.dynamics import (
    Holdout,
    Prediction,
    fitted_spread,
    generator_for,
    mixture_nll,
    read_model_card,
    scaled_spread,
)
from offline_envs.envs import Assembly, ModelOptions, assemble
from offline_envs.evaluation import (
    DataScale,
    EpisodeRecorder,
    evaluate_in,
    interval_shares,
    mixture_quantile,
    model_return,
)
from offline_envs.mdp import SpreadSampler, StartStates

STEPS = (1, 5, 25)
LEVELS = (0.5, 0.9)


def main(
    dataset: Annotated[str, typer.Argument(help="Id or path.")],
    model: Annotated[Path, typer.Argument(help="Folder of a model that was fitted to it.")],
    policy: Annotated[Path | None, typer.Option(help="A policy to run in the real environment.")] = None,
    agent: Annotated[str, typer.Option(help="Agent that saved it.")] = "sac",
    windows: Annotated[int, typer.Option(help="Windows of the open-loop error.", min=1)] = 1000,
    episodes: Annotated[int, typer.Option(help="Real and imagined episodes of the policy.", min=1)] = 20,
) -> None:
    """Measure, and print a table."""
    data = load_transitions(dataset)
    before, after = (
        assemble(data, options=ModelOptions(model=str(model), spread=spread))
        for spread in (1.0, "calibrated")
    )
    sampler = after.mdp.sampler
    assert isinstance(sampler, SpreadSampler)
    table = Table(
        "figure", "spread 1", f"spread {sampler.factor:.3f}", "means only", title=f"{dataset}, {model}"
    )
    for name, pair in coverage(before, read_model_card(model)).items():
        table.add_row(name, *pair)
    add_open_loop(table, "dataset", data, before, after, windows)
    if policy is not None:
        actor = find_saved_agent(agent).load().load(policy, device="cpu")
        real, steps = real_episodes(data, actor, episodes)
        add_open_loop(table, "policy", steps, before, after, windows)
        table.add_row(
            f"return of the policy; real: {real}", *(predicted(a, actor, episodes) for a in (before, after))
        )
    Console().print(table)


def coverage(assembly: Assembly, card: dict[str, Any]) -> dict[str, list[str]]:
    """Coverage and likelihood on one half of the holdout, with the factor fitted to the other."""
    data, model = assembly.transitions, assembly.model
    rows = Holdout.of(data, card, seed=0).rows
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    elites = torch.arange(model.n_elites)

    def outcome(index: torch.Tensor) -> tuple[Prediction, torch.Tensor]:
        true = torch.cat([data.rewards[index, None], data.next_obs[index] - data.obs[index]], dim=1)
        return model.predict(data.obs[index], data.actions[index], model.elites), true

    factor = fitted_spread(*outcome(first))
    prediction, true = outcome(second)
    found: dict[str, list[str]] = {"factor of the first half": ["", f"{factor:.3f}"]}
    for scaled in (prediction, scaled_spread(prediction, factor, elites)):
        shares = interval_shares(mixture_quantile(scaled, true), LEVELS).mean(dim=1).tolist()
        for level, share in zip(LEVELS, shares, strict=True):
            found.setdefault(f"in {level:.0%} intervals, second half", []).append(f"{share:.1%}")
        found.setdefault("NLL an output", []).append(f"{float(mixture_nll(scaled, true).mean()):.3f}")
    return found


def real_episodes(data: Transitions, actor: Any, n: int) -> tuple[str, Transitions]:
    """Returns of a policy in the real environment, and its steps as a dataset."""
    env = EpisodeRecorder(data.make_env())
    result = evaluate_in(env, actor, n_episodes=n, seed=5_000)
    recorded = env.finish()
    arrays = {
        "observations": np.concatenate([np.asarray(e.observations)[:-1] for e in recorded]),
        "next_observations": np.concatenate([np.asarray(e.observations)[1:] for e in recorded]),
        "actions": np.concatenate([np.asarray(e.actions) for e in recorded]),
        "rewards": np.concatenate([np.asarray(e.rewards) for e in recorded]),
        "terminals": np.concatenate([np.asarray(e.terminations) for e in recorded]),
        "timeouts": np.concatenate([np.asarray(e.truncations) for e in recorded]),
    }
    env.close()
    return f"{result.mean:.0f} ± {result.std:.0f}", transitions_from_arrays(arrays)


def add_open_loop(
    table: Table, origin: str, steps: Transitions, before: Assembly, after: Assembly, n: int
) -> None:
    """Add rows of the error of sampled forecasts, and of the mean's, which the factor does not change."""
    rows = torch.randperm(len(steps), generator=generator_for(0, 9))[:n]
    windows = recorded_windows(steps, rows, max(STEPS))
    scale = DataScale.of(before.transitions)
    sampled = [sampled_forecast(a.mdp, windows, torch.Generator().manual_seed(0)) for a in (before, after)]
    for group in (ALL_GROUP, REWARD_GROUP):
        errors = [medians(windows, forecast, scale, group) for forecast in sampled]
        mean = medians(windows, mean_forecast(before.mdp, windows), scale, group)
        for step in STEPS:
            errors_then = (f"{error[step - 1]:.4f}" for error in (*errors, mean))
            table.add_row(f"{group}, {step} steps, {origin}", *errors_then)


def medians(windows: Windows, forecast: Forecast, scale: DataScale, group: str) -> list[float]:
    """Median error after each step over the windows that are as long."""
    error = group_errors(windows, forecast, scale, {})[group]
    found: list[float] = error.nanmedian(dim=0).values.tolist()
    return found


def predicted(assembly: Assembly, actor: Any, n: int) -> str:
    """Return that the model predicts for a policy, mean ± deviation over imagined episodes."""
    starts = StartStates.from_transitions(assembly.transitions, "initial", device="cpu")
    returns = model_return(assembly.mdp, starts, actor, n_episodes=n, max_steps=1000, seed=1_000)
    return f"{returns.mean():.0f} ± {returns.std():.0f}"


if __name__ == "__main__":
    typer.run(main)

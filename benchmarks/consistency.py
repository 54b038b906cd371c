"""What the filter of `ConsistentModel-v0` does to imagined steps, against the simulator.

From states of the dataset, the model follows the recorded actions open loop, and then the same actions with
noise, whose truth is what the simulator does with them from the same states. Counted are the steps that an
agent is given: up to the end of the imagined episode, and no longer than the real one lasts. A state is
implausible if one of its dimensions lies outside the dataset's range by more than a tenth of that range.
Errors are root mean squares over the dimensions, in the data's deviations.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from offline_envs.data import Transitions, load_transitions
from offline_envs.diagnose.ground_truth import Windows, recorded_windows, simulated_windows
from offline_envs.dynamics import DynamicsModel, EnsembleSettings, FitSettings, fitted_ensemble, load_model
from offline_envs.envs import ModelOptions, assemble
from offline_envs.evaluation import DataScale
from offline_envs.mdp import LearnedMDP, ModelWorld, follow, keep_all
from offline_envs.methods import Consistent, EndInconsistent, Method, Plain
from offline_envs.policies import RecordedActions
from offline_envs.simulator import Simulator

EMBEDDED = "offline-envs/inverteddoublependulum-replay-v0"
MARGIN = 0.1
"""Share of a dimension's range beyond which a state outside of it is implausible."""

AFTER = (1, 10, 25, 50, 100)
"""Steps after which errors are shown."""

PLAIN = "no filter"


@dataclass(frozen=True)
class Imagined:
    """Imagined episodes beside real ones, `(n, h)` each.

    Attributes:
        given: Steps that an agent is given and the real episode reaches.
        implausible: States far outside the dataset.
        error: Distance from the real state, float64.
        terminated: Steps at which the model ends an episode that continues in reality.
    """

    given: Tensor
    implausible: Tensor
    error: Tensor
    terminated: Tensor


def main(
    dataset: Annotated[str, typer.Option(help="Id or path.")] = EMBEDDED,
    model: Annotated[Path | None, typer.Option(help="Folder of a fitted ensemble.")] = None,
    ensemble: Annotated[str, typer.Option(help="Settings of the ensemble without one, JSON.")] = "{}",
    fit: Annotated[str, typer.Option(help="Settings of its fit, JSON.")] = "{}",
    discriminator: Annotated[str, typer.Option(help="Settings of the discriminators, JSON.")] = "{}",
    least: Annotated[float, typer.Option(help="Dynamics reward below which an episode ends.")] = 0.6,
    starts: Annotated[int, typer.Option(help="States that are followed.", min=1)] = 100,
    horizon: Annotated[int, typer.Option(help="Steps from each of them.", min=1)] = 100,
    noise: Annotated[float, typer.Option(help="Deviation of the noise, in half ranges of actions.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of states, noise and samples.")] = 0,
    cache_dir: Annotated[Path | None, typer.Option(help="Folder of what is fitted.")] = None,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
) -> None:
    """Imagine with and without the filter, and print tables for both kinds of actions."""
    if threads:
        torch.set_num_threads(threads)
    data = load_transitions(dataset)
    shape, settings = EnsembleSettings.from_json(json.loads(ensemble)), FitSettings.from_json(json.loads(fit))
    given = (
        load_model(model)
        if model
        else fitted_ensemble(data, shape, fit_settings=settings, cache_dir=cache_dir)
    )
    simulator = Simulator.of(data)
    rows = start_rows(data, simulator, starts, horizon, generator=torch.Generator().manual_seed(seed))
    recorded = recorded_windows(data, rows, horizon)
    noisy = with_noise(simulator, recorded, data, noise, generator=torch.Generator().manual_seed(seed + 1))
    simulator.close()
    mdps = {
        name: assembled(data, given, method, cache_dir)
        for name, method in methods(discriminator, least).items()
    }
    for actions, windows in (("recorded actions", recorded), (f"actions with noise of {noise:g}", noisy)):
        found = {name: imagined(mdp, windows, data, seed + 2) for name, mdp in mdps.items()}
        title = f"{dataset}, {len(rows)} starts, {horizon} steps, {actions}"
        Console().print(shares(found, title))
        Console().print(errors(found, f"Median error after so many steps, {actions}"))
    typer.echo(one_step(mdps, recorded, least, seed + 3))


def methods(discriminator: str, least: float) -> dict[str, Method]:
    """What is compared, by name."""
    own = json.loads(discriminator)
    chosen: dict[str, Method] = {PLAIN: Plain()}
    for selection in ("softmax", "argmax"):
        for name, threshold in ((selection, 0.0), (f"{selection}, ends below {least:g}", least)):
            chosen[name] = Consistent(selection=selection, min_dynamics_reward=threshold, discriminator=own)
    return chosen


def assembled(data: Transitions, model: DynamicsModel, method: Method, cache_dir: Path | None) -> LearnedMDP:
    """The learned MDP of a method."""
    return assemble(data, method, ModelOptions(model=model, cache_dir=cache_dir)).mdp


def start_rows(
    data: Transitions, simulator: Simulator, n: int, horizon: int, *, generator: torch.Generator
) -> Tensor:
    """Rows that determine the simulator's state and are followed by `horizon` recorded steps, int64."""
    lengths = torch.repeat_interleave(data.episode_lengths, data.episode_lengths)
    first = torch.repeat_interleave(data.episode_starts, data.episode_lengths)
    left = first + lengths - torch.arange(len(data))
    usable = torch.from_numpy(simulator.layout.is_exact(data.obs.numpy())) & (left >= horizon)
    rows = usable.nonzero()[:, 0]
    if not len(rows):
        raise typer.BadParameter(
            f"No recorded episode has {horizon} steps from a state that can be restored."
        )
    return rows[torch.randperm(len(rows), generator=generator)[:n]]


def with_noise(
    simulator: Simulator, recorded: Windows, data: Transitions, noise: float, *, generator: torch.Generator
) -> Windows:
    """The simulator's steps with the recorded actions plus Gaussian noise, from the same states."""
    low, high = (torch.from_numpy(bound) for bound in (data.action_space.low, data.action_space.high))
    drawn = torch.randn(recorded.actions.shape, generator=generator) * noise * (high - low) / 2
    actions = (recorded.actions + drawn).clamp(low, high).numpy()

    def choose(i: int, t: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        del obs  # Unused: open loop.
        action: NDArray[np.float32] = actions[i, t]
        return action

    horizon = actions.shape[1]
    return simulated_windows(simulator, recorded.obs[:, 0], choose, recorded.lengths, horizon)


def imagined(mdp: LearnedMDP, windows: Windows, data: Transitions, seed: int) -> Imagined:
    """Follow the actions of real windows in a learned MDP, beyond the end of its episodes as well."""
    world = ModelWorld(mdp, windows.obs[:, 0], torch.Generator().manual_seed(seed), further=keep_all)
    steps = [
        f.step for f in islice(follow(RecordedActions(windows.actions), world), windows.actions.shape[1])
    ]
    obs, terminated, truncated = (
        torch.stack([getattr(step, name) for step in steps], dim=1)
        for name in ("next_obs", "terminated", "truncated")
    )
    missed = ((obs - windows.obs[:, 1:]) / DataScale.of(data).obs_std).double()
    over = terminated | truncated
    begun = over.long().cumsum(dim=1) - over.long() == 0  # no end before
    given = begun & windows.present
    last = torch.arange(obs.shape[1]) == windows.lengths[:, None] - 1
    return Imagined(
        given, far_outside(obs, data), missed.square().mean(dim=-1).sqrt(), terminated & given & ~last
    )


def far_outside(obs: Tensor, data: Transitions) -> Tensor:
    """Whether a dimension lies outside the dataset's range by more than `MARGIN` of it, `(...)`."""
    known = torch.cat([data.obs, data.next_obs])
    low, high = known.amin(0), known.amax(0)
    margin = MARGIN * (high - low)
    return ~((obs >= low - margin) & (obs <= high + margin)).all(dim=-1)


def shares(found: Mapping[str, Imagined], title: str) -> Table:
    """One row a method: how much it gives, how implausible that is, and how far from the truth."""
    table = Table(title=title)
    table.add_column("steps")
    for name in (
        "given",
        "implausible",
        "ended wrongly",
        "median error",
        "90 %",
        "no filter, same steps",
    ):
        table.add_column(name, justify="right")
    plain = found[PLAIN].error
    for name, episodes in found.items():
        given = episodes.given
        table.add_row(
            name,
            f"{given.double().mean():.1%}",
            f"{episodes.implausible[given].double().mean():.2%}",
            f"{episodes.terminated.any(dim=1).double().mean():.1%}",
            *(f"{episodes.error[given].quantile(level):.3f}" for level in (0.5, 0.9)),
            f"{plain[given].quantile(0.5):.3f}",
        )
    return table


def errors(found: Mapping[str, Imagined], title: str) -> Table:
    """One row a method: its median error after some steps, in the episodes that are still given."""
    table = Table(title=title)
    table.add_column("steps")
    horizon = next(iter(found.values())).error.shape[1]
    after = [step for step in AFTER if step <= horizon]
    for step in after:
        table.add_column(str(step), justify="right")
    for name, episodes in found.items():
        cells = []
        for step in after:
            alive = episodes.error[episodes.given[:, step - 1], step - 1]
            cells.append(f"{alive.median():.3f} ({len(alive)})" if len(alive) else "none left")
        table.add_row(name, *cells)
    return table


def one_step(mdps: Mapping[str, LearnedMDP], windows: Windows, least: float, seed: int) -> str:
    """How many recorded steps, and how many of the model's from the same pairs, lie below the threshold."""
    end = next(mdp.transform for mdp in mdps.values() if isinstance(mdp.transform, EndInconsistent))
    obs, action, next_obs = (
        part.flatten(0, 1) for part in (windows.obs[:, :-1], windows.actions, windows.obs[:, 1:])
    )
    sampled = mdps[PLAIN].step(obs, action, torch.Generator().manual_seed(seed)).next_obs
    of_data, of_model = (end.reward(obs, action, after) for after in (next_obs, sampled))
    below = [f"{(reward < least).double().mean():.1%}" for reward in (of_data, of_model)]
    return f"Below {least:g}: {below[0]} of recorded steps, {below[1]} of the model's from the same pairs."


if __name__ == "__main__":
    typer.run(main)

"""Open-loop error of ensembles fitted to single steps and over several, on episodes that no fit has seen.

Episodes are drawn at random until they hold a tenth of the rows; the fits get the others. From random rows of
the held-out episodes each member follows its own means along the recorded actions. The error after j steps is
the distance from the recorded observation, in deviations of each column over the dataset, root mean square
over columns and members; the table has its median and mean over the starts. The likelihood is that of single
steps and members, twice the usual one up to a constant, in standardised units.

A fit over k steps takes k times as long an epoch, so that `--epochs 20` means 20 epochs of single steps and
four over five.
"""

import time
from dataclasses import replace
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from offline_envs.data import Transitions, load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit

EMBEDDED = "offline-envs/inverteddoublependulum-replay-v0"
STEPS = (1, 5, 25)
STARTS = 1000
HELD_OUT = 0.1

FITS: dict[str, dict[str, Any]] = {
    "single steps": {},
    "over k, own means": {},
    "over k, own samples": {"own_kind": "sample"},
    "over k, recorded inputs only": {"own_inputs": 0.0, "own_schedule": "constant"},
    "over k, own means, no gradient through them": {"own_gradient": False},
    "over k, half own means": {"own_inputs": 0.5},
}
"""What is compared; k = 1 in the first."""


def main(
    dataset: Annotated[str, typer.Option(help="Id or path.")] = EMBEDDED,
    epochs: Annotated[int, typer.Option(help="Epochs of the fit to single steps.")] = 20,
    k: Annotated[int, typer.Option(help="Steps of the other fits.")] = 5,
    members: Annotated[int, typer.Option(help="Members of each ensemble.")] = 3,
    rows: Annotated[int, typer.Option(help="Rows of random episodes that are used; 0 for all.")] = 0,
    only: Annotated[
        list[int] | None, typer.Option(help="Numbers of the fits, from 0; all by default.")
    ] = None,
    longer: Annotated[bool, typer.Option(help="Give every fit as many epochs, not the same time.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the fits and of the starts.")] = 0,
) -> None:
    """Fit, follow, and print a table."""
    torch.set_num_threads(1)
    data = load_transitions(dataset)
    if rows:
        _, data = apart(data, seed, rows / len(data))
    seen, unseen = apart(data, seed, HELD_OUT)
    shape = EnsembleSettings(n_members=members, n_elites=members)
    table = Table("fit", "epochs", "NLL", *(f"step {j}: median, mean" for j in STEPS), "seconds")
    for i, (name, own) in enumerate(FITS.items()):
        if only and i not in only:
            continue
        steps = 1 if i == 0 else k
        chosen = FitSettings(
            learning_rate=4e-3,
            schedule="cosine",
            max_epochs=epochs if longer else max(1, epochs // steps),
            rollout_steps=steps,
            seed=seed,
            **own,
        )
        start = time.process_time()
        ensemble = fit(seen, shape, fit_settings=chosen, progress=False).ensemble
        seconds = time.process_time() - start
        errors = open_loop(ensemble, unseen, data.next_obs.std(dim=0), seed)
        figures = (f"{e.median():.3f}, {e.mean():.3f}" for e in errors)
        row = (name, str(chosen.max_epochs), f"{likelihood(ensemble, seen, unseen):.2f}", *figures)
        typer.echo(" | ".join(row), err=True)
        table.add_row(*row, f"{seconds:.0f}")
    Console(width=160).print(table)


def apart(data: Transitions, seed: int, share: float) -> tuple[Transitions, Transitions]:
    """Most episodes, and others that hold a share of the rows."""
    order = torch.randperm(len(data.episode_starts), generator=torch.Generator().manual_seed(seed))
    held = data.episode_lengths[order].cumsum(0) <= share * len(data)
    held[0] = True
    return part(data, order[~held].sort().values), part(data, order[held].sort().values)


def part(data: Transitions, episodes: Tensor) -> Transitions:
    """Some episodes of a dataset."""
    lengths, starts = data.episode_lengths[episodes], data.episode_starts[episodes]
    rows = torch.cat([torch.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])
    fields = ("obs", "actions", "rewards", "next_obs", "terminated")
    values = {name: getattr(data, name)[rows] for name in fields}
    return replace(data, **values, episode_starts=lengths.cumsum(0) - lengths, infos={})


def open_loop(ensemble: EnsembleDynamics, data: Transitions, scale: Tensor, seed: int) -> list[Tensor]:
    """Error of each start after each of `STEPS`, `(n,)` each."""
    ends = (data.episode_starts + data.episode_lengths).repeat_interleave(data.episode_lengths)
    possible = torch.nonzero(torch.arange(len(data)) + max(STEPS) <= ends)[:, 0]
    generator = torch.Generator().manual_seed(seed)
    rows = possible[torch.randperm(len(possible), generator=generator)[:STARTS]]
    scale = torch.where(scale > 0, scale, 1.0)
    obs = [data.obs[rows] for _ in range(ensemble.n_members)]
    errors = []
    for step in range(1, max(STEPS) + 1):
        at = rows + step - 1
        for i, before in enumerate(obs):
            mean = ensemble.predict(before, data.actions[at], torch.tensor([i])).mean[0]
            obs[i] = before + mean[:, 1:]
        if step in STEPS:
            distance = (torch.stack(obs) - data.next_obs[at]) / scale
            errors.append(distance.square().mean(dim=(0, 2)).sqrt())
    return errors


def likelihood(ensemble: EnsembleDynamics, seen: Transitions, data: Transitions) -> float:
    """Negative log-likelihood of single steps, in deviations of the outputs that were fitted to."""
    mean, std = ensemble.predict(data.obs, data.actions)
    target = torch.cat([data.rewards[:, None], data.next_obs - data.obs], dim=1)
    scale = torch.cat([seen.rewards[:, None], seen.next_obs - seen.obs], dim=1).std(dim=0)
    scale = torch.where(scale > 0, scale, 1.0)
    return float((((mean - target) / std).square() + 2 * (std / scale).log()).mean())


if __name__ == "__main__":
    typer.run(main)

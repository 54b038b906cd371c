"""Scores of the methods on a batch, each with settings that are chosen once, by a rule, for all batches.

The rules: rollouts of 5 steps where the method does not set a length itself; a penalty by uncertainty takes a
fifth of the data's mean |reward|, so that λ follows units and model; 100 imagined transitions for each
gradient step where the method does not say; everything else is the default, or what docs/batches.md says of
the method. All methods with a model share one fit of a batch. Each run's settings, result and metrics go into
an archive that `scores.py show` makes tables and plots of. What is complete is not run again.

    python benchmarks/method_scores.py walker2d-replay --methods mbpo,combo --seeds 0 --archive scores.zip
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from cells import cell_settings, chosen_cells, run_cells
from run_archive import add_run

from offline_envs.errors import unknown_name
from offline_envs.runs import merged
from offline_envs.runs.presets.measured import COSINE_FIT

BATCHES: Mapping[str, Mapping[str, Any]] = {
    "hopper-replay": {"dataset": "offline-envs/hopper-replay-v0"},
    "halfcheetah-replay": {"dataset": "offline-envs/halfcheetah-replay-v0"},
    "halfcheetah-jump": {"dataset": "offline-envs/halfcheetah-capped-replay-v0", "task": "halfcheetah-jump"},
    "ant-angle": {"dataset": "offline-envs/ant-replay-v0", "task": "ant-angle:survive_bonus=1"},
    "walker2d-replay": {"dataset": "offline-envs/walker2d-replay-v0"},
}
"""What each batch is called, and its settings."""

COMMON: Mapping[str, Any] = {
    "gradient_steps": 50_000,
    "eval_episodes": 5,
    "eval_every": 2_500,
    "transitions_per_gradient_step": 100,
    "fit": {**COSINE_FIT, "seed": 0},
}
"""Settings of all methods that use them and do not say otherwise."""

A_FIFTH: Mapping[str, Any] = {"penalty_coef": 0.2, "penalty_scale": "reward"}
LONG_ROLLOUTS: Mapping[str, Any] = {
    "gradient_steps": 400,
    "transitions_per_gradient_step": 25_000,
    "eval_every": 10,
}
"""Of TRPO, in place of 50 000 gradient steps of SAC with 100 transitions each."""


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
        title: Its name in tables and plots.
        settings: What it changes of the settings that all share.
    """

    title: str
    settings: Mapping[str, Any]


METHODS: Mapping[str, Method] = {
    "bc": Method("BC", {"algorithm": "bc"}),
    "mbpo": Method("MBPO", {"algorithm": "mbpo", "agent": "fastsac"}),
    "mopo": Method("MOPO", {"algorithm": "mopo", "agent": "fastsac", **A_FIFTH}),
    "mopo-trpo": Method(
        "MOPO, TRPO averaged",
        {
            "algorithm": "mopo",
            "agent": "trpo",
            **LONG_ROLLOUTS,
            "env_settings": {"member": "episode"},
            "agent_options": {"actor_ema_decay": 0.9},
            **A_FIFTH,
        },
    ),
    "morel": Method("MOReL", {"algorithm": "morel", **LONG_ROLLOUTS}),
    "rambo": Method("RAMBO", {"algorithm": "rambo", "agent": "fastsac", "clone_epochs": 10}),
    "morec": Method("MOREC", {"algorithm": "morec", "agent": "fastsac", **A_FIFTH}),
    "mobile": Method("MOBILE", {"algorithm": "mobile", "agent_options": {"inconsistency_coef": 0.1}}),
    "combo": Method("COMBO", {"algorithm": "combo", "agent_options": {"conservative_weight": 0.5}}),
    "ravl": Method("RAVL", {"algorithm": "ravl"}),
    "neubay": Method(
        "NEUBAY",
        {
            "algorithm": "neubay",
            "transitions_per_gradient_step": 20,
            "agent_options": {"learning_rate": 3e-4, "buffer_size": 2_000_000},
        },
    ),
}
"""The methods by their names on the command line."""


def main(
    batch: Annotated[str, typer.Argument(help=", ".join(BATCHES))],
    methods: Annotated[str, typer.Option(help="Methods, e.g. mbpo,mopo.")] = ",".join(METHODS),
    seeds: Annotated[str, typer.Option(help="Seeds, one run each.")] = "0",
    model: Annotated[Path | None, typer.Option(help="Fitted model in place of an own fit.")] = None,
    settings: Annotated[str, typer.Option(help="Further settings of all runs, JSON.")] = "{}",
    folder: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/scores"),
    archive: Annotated[Path | None, typer.Option(help="Zip to keep complete runs in.")] = None,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 1,
) -> None:
    """Run what is not complete, and keep it."""
    if threads:
        torch.set_num_threads(threads)
    if batch not in BATCHES:
        raise unknown_name("batch", batch, BATCHES)
    common = merged(_shared(batch, model), json.loads(settings))
    chosen = {name: METHODS[name] for name in chosen_cells(methods, METHODS)}
    runs = {name: cell_settings(common, method.settings) for name, method in chosen.items()}
    numbers = [int(seed) for seed in seeds.split(",")]
    for name, run in runs.items():
        run_cells({name: run}, numbers, folder / batch)
        if archive is None:
            continue
        for seed in numbers:
            title = f"{batch}/{chosen[name].title}/seed-{seed}"
            add_run(archive, title, folder / batch / name / f"seed-{seed}")


def _shared(batch: str, model: Path | None) -> dict[str, Any]:
    """Settings of all methods on a batch; a model that is given needs no fit."""
    if model is None:
        return {**COMMON, **BATCHES[batch]}
    shared = {name: value for name, value in COMMON.items() if name != "fit"}
    return {**shared, **BATCHES[batch], "model": str(model)}


if __name__ == "__main__":
    typer.run(main)

"""Scores of OfflineRL-Kit's own MOPO and MOBILE, trained on one of this package's datasets, as a run folder.

Model, agent, buffers and rollouts are OfflineRL-Kit's, from a checkout, with what its `run_mopo.py` and
`run_mobile.py` set and the horizon and λ that they suggest for `<body>-medium-replay-v2`: a cosine of the
actor's learning rate over the whole run, 50 000 rollouts every 1000 gradient steps. These differ:

- the dataset: ours, every row of it, where theirs leave out the last row of an episode at a time limit;
- the number of gradient steps, over which the cosine goes: `--steps`, where theirs take 3 000 000;
- the environment, Gymnasium's v5 instead of gym and D4RL, and when the policy is scored in it: every
  `--eval-every` gradient steps with the seeds of our runs' evaluations, at the end in 20 others;
- the seeds: they are set before the fit, as theirs, and again before the agent is made, so that a run whose
  fit was kept ends like one without interruption.

The folder holds `settings.json`, `metrics.csv` and `result.json`, which `scores.py add` archives, and the
fitted model in `dynamics`. After an interruption the same command uses that model and trains the agent again;
seconds in `metrics.csv` count from the end of the fit. The fit is in `kit_fit.py`, their
loop in `kit_loop.py`.
"""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import torch
import typer
from kit_fit import fitted, set_seeds
from kit_loop import KitLoop
from kit_settings import FIT_EPOCHS, KitSettings, claim, suggested
from peers import kit_buffer, kit_mobile, kit_sac

from offline_envs.data import Transitions, load_transitions
from offline_envs.evaluation import evaluate_in
from offline_envs.files import write_json, write_text
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.results import MetricsRow, TrainResult, metrics_text
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3.schedule import RETAINED_EPOCHS

FINAL_EPISODES = 20


def main(
    dataset: Annotated[
        str, typer.Argument(help="Id or path; MINARI_DATASETS_PATH says where ids are looked for.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    offlinerl_kit: Annotated[Path, typer.Option(help="Checkout of OfflineRL-Kit.")],
    method: Annotated[str, typer.Option(help="mopo or mobile.")] = "mopo",
    steps: Annotated[int, typer.Option(help="Gradient steps.", min=1)] = 50_000,
    seed: Annotated[int, typer.Option(help="Seed of fit and agent.", min=0)] = 0,
    eval_every: Annotated[int, typer.Option(help="Gradient steps between evaluations.", min=1)] = 2_500,
    eval_episodes: Annotated[
        int, typer.Option(help="Episodes of an evaluation.", min=1, max=FINAL_SEED - EVALUATION_SEED)
    ] = 5,
    max_epochs: Annotated[
        int | None, typer.Option(help="Most epochs of the fit; by default those of its run file.", min=1)
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Fixed temperature; by default it is learned.")] = None,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda, of model and agent.")] = "cpu",
) -> None:
    """Fit, train and score, and write the run's folder."""
    if threads:
        torch.set_num_threads(threads)
    data = load_transitions(dataset)
    horizon, penalty_coef = suggested(method, data.env_id or "an unknown environment")
    settings = KitSettings(
        dataset=dataset,
        method=method,
        gradient_steps=steps,
        seed=seed,
        horizon=horizon,
        penalty_coef=penalty_coef,
        max_epochs=max_epochs or FIT_EPOCHS[method],
        alpha=alpha,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
    )
    claim(output, settings)
    dynamics = fitted(offlinerl_kit, data, settings, output / "dynamics", device)
    loop = new_loop(offlinerl_kit, data, settings, dynamics, device)
    with closing(data.make_env()) as env:
        result = trained(settings, data, loop, env, output)
    typer.echo(f"Real return {result.real_return:.0f} ± {result.real_std:.0f}, in {output}")


def new_loop(checkout: Path, data: Transitions, settings: KitSettings, dynamics: Any, device: str) -> KitLoop:
    """OfflineRL-Kit's agent and buffers around fitted dynamics."""
    set_seeds(settings.seed)
    agents: dict[str, Callable[..., Any]] = {
        "mopo": kit_sac,
        "mobile": partial(kit_mobile, penalty_coef=settings.penalty_coef),
    }
    sizes = (data.obs_dim, data.action_dim, device)
    policy = agents[settings.method](checkout, *sizes, dynamics=dynamics, alpha=settings.alpha)
    retained = settings.rollout_starts * settings.horizon * RETAINED_EPOCHS
    return KitLoop(
        policy,
        kit_buffer(checkout, len(data), data, filled=True, device=device),
        kit_buffer(checkout, retained, data, device=device),
        horizon=settings.horizon,
        batch=settings.batch_size,
        real_ratio=settings.real_ratio,
    )


def trained(
    settings: KitSettings, data: Transitions, loop: KitLoop, env: gym.Env[Any, Any], folder: Path
) -> TrainResult:
    """Train the loop's agent, and score it on the way and at the end.

    Args:
        settings: The run.
        data: Its dataset.
        loop: Agent and buffers.
        env: The real environment.
        folder: Where `metrics.csv` is written after each evaluation, and `result.json`.

    Returns:
        What `result.json` holds.
    """
    rows: list[MetricsRow] = []
    start, total = time.perf_counter(), settings.gradient_steps
    with RunProgress(total, shown=True) as progress:
        for step in loop.steps(total, settings.rollout_starts):
            progress.advance_to(step)
            if step % settings.eval_every and step < total:
                continue
            found = evaluate_in(env, loop.act, n_episodes=settings.eval_episodes, seed=EVALUATION_SEED)
            counts: dict[str, Any] = {"gradient_steps": step, "timesteps": loop.transitions}
            rows.append(MetricsRow.of(found, **counts, seconds=time.perf_counter() - start))
            write_text(folder / "metrics.csv", metrics_text(rows))
            progress.evaluated(step, f"real return {found.mean:.0f} ± {found.std:.0f}")
    final = evaluate_in(env, loop.act, n_episodes=FINAL_EPISODES, seed=FINAL_SEED)
    # Of our settings these two alone are in the result; theirs are in settings.json.
    ours = RunSettings(dataset=settings.dataset, seed=settings.seed)
    result = TrainResult.of(ours, data, final, gradient_steps=total)
    write_json(folder / "result.json", result.to_json())
    return result


if __name__ == "__main__":
    typer.run(main)

"""`offline-envs train`: a policy trained inside a learned model, scored in the real environment."""

from pathlib import Path
from typing import Annotated

import typer

from offline_envs.cli.options import Dataset, Device, EnsembleJson, EnvId, FitJson, parse_json, parse_seeds
from offline_envs.errors import SettingsError

Algo = Annotated[str, typer.Option(help="mopo (penalised model) or mbpo (plain model).")]
Agent = Annotated[str, typer.Option(help="sac, td3, ddpg, tqc or crossq.")]
Steps = Annotated[int, typer.Option(help="Gradient steps of the agent.", min=1)]
Horizon = Annotated[int, typer.Option(help="Steps of an imagined episode, h.", min=1)]
Coef = Annotated[float, typer.Option(help="λ, the weight of MOPO's penalty.", min=0)]
Penalty = Annotated[str, typer.Option(help="max_std, max_deviation or ensemble_std.")]
Seeds = Annotated[str, typer.Option(help="Seeds, run one after the other, e.g. 0,1,2.")]
Folder = Annotated[Path, typer.Option(help="Folder to write; each seed gets one inside.")]
Model = Annotated[str | None, typer.Option(help="Folder of a fitted ensemble, instead of fitting one.")]
EvalEvery = Annotated[int, typer.Option(help="Gradient steps between real evaluations.", min=1)]
AgentJson = Annotated[
    str,
    typer.Option("--agent-options", help="Keywords of the agent as JSON, e.g. '{\"learning_rate\": 1e-4}'."),
]
MoreJson = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Any other setting of a run as JSON: n_envs, transitions_per_gradient_step (default 50 times "
        "the horizon), real_ratio, penalty_members, termination, start, eval_episodes, final_episodes; "
        "e.g. '{\"real_ratio\": 0.5}'.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]


def train(
    dataset: Dataset,
    folder: Folder = Path("runs/train"),
    algo: Algo = "mopo",
    agent: Agent = "sac",
    steps: Steps = 1_000_000,
    horizon: Horizon = 5,
    penalty_coef: Coef = 1.0,
    penalty: Penalty = "max_std",
    seeds: Seeds = "0",
    model: Model = None,
    env_id: EnvId = None,
    eval_every: EvalEvery = 5_000,
    ensemble: EnsembleJson = "{}",
    fit: FitJson = "{}",
    agent_options: AgentJson = "{}",
    settings: MoreJson = "{}",
    device: Device = "cpu",
    resume: Resume = False,
) -> None:
    """Train a policy inside a model of DATASET and score it in the real environment.

    Interrupt it with Ctrl-C; the same command with --resume goes on.
    """
    from offline_envs.cli.seeds import run_seeds
    from offline_envs.runs import TrainSettings

    options = {
        "dataset": dataset,
        "algorithm": algo,
        "agent": agent,
        "gradient_steps": steps,
        "horizon": horizon,
        "penalty_coef": penalty_coef,
        "penalty": penalty,
        "model": model,
        "env_id": env_id,
        "eval_every": eval_every,
        "ensemble": parse_json(ensemble, "--ensemble"),
        "fit": parse_json(fit, "--fit"),
        "agent_options": parse_json(agent_options, "--agent-options"),
        "device": device,
    }
    more = parse_json(settings, "--settings")
    twice = sorted(set(more) & {*options, "seed"})
    if twice:
        raise SettingsError(f"--settings cannot hold {', '.join(twice)}: there are options for that.")
    common = TrainSettings.from_json({**options, **more})
    run_seeds(common, parse_seeds(seeds), folder, resume=resume)

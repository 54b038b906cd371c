"""`offline-envs train`: train a policy inside a learned model, and score it in the real environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offline_envs.agents import AGENTS
from offline_envs.cli.terminal.options import (
    ColumnsOption,
    Dataset,
    Device,
    EnsembleJson,
    EnvId,
    EnvKwargs,
    FitJson,
    History,
    TaskName,
    TrustDataset,
    parse_columns,
    parse_json,
    parse_seeds,
)
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from offline_envs.runs import TrainSettings

Algo = Annotated[
    str | None,
    typer.Option(
        help="mopo (penalised model), mbpo (plain model), morel (halts where the model is unsure), rambo "
        "(adversarial model), morec (steps filtered by discriminators), combo (conservative critic), mobile "
        "(targets penalised where members disagree), ravl (diverse critics), neubay (truncates where the "
        "model is unsure), bc (behaviour cloning, no model), or td3bc, iql, cql, awac, bcq, bear, crr, plas, "
        "prdc or rebrac (model-free, by d3rlpy).",
        show_default="mopo",
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Settings from a paper, e.g. mopo/hopper-medium; other options override them. "
        "`offline-envs presets` lists them.",
    ),
]
Agent = Annotated[
    str | None,
    typer.Option(
        help=f"One of {', '.join(AGENTS)}.",
        show_default="sac; trpo for morel; redq for neubay; combo for combo; mobile for mobile; "
        "ravl for ravl",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        help="Gradient steps of the agent; for trpo, steps of its policy.",
        min=1,
        show_default="1000000; 500 for trpo; 50000 for bc; 500000 for d3rlpy, 1000000 for plas and rebrac",
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(
        help="Steps of an imagined episode, h.",
        min=1,
        show_default="5; 100 for morec; 500 for morel or trpo; 1000 for neubay",
    ),
]
Coef = Annotated[
    float | None,
    typer.Option(help="λ, the weight of MOPO's penalty.", min=0, show_default="1.0; 0.0 for morec"),
]
Penalty = Annotated[
    str | None,
    typer.Option(help="max_std, max_deviation, max_disagreement or ensemble_std.", show_default="max_std"),
]
Scale = Annotated[
    str | None,
    typer.Option(
        help="Unit in which λ counts: raw (the measure's), data (its mean over the dataset), or reward "
        "(the share of their mean |reward| that the dataset's steps cost).",
        show_default="raw",
    ),
]
Seeds = Annotated[str, typer.Option(help="Seeds, e.g. 0,1,2 or 0..7; each trains a policy.")]
Processes = Annotated[
    int,
    typer.Option(help="Seeds that run at once, each in a process with its share of the threads.", min=1),
]
Together = Annotated[
    bool,
    typer.Option(
        "--together",
        help="Let all seeds learn at the same time in this process, for a GPU; on a CPU use --processes. "
        "Needs --agent fastsac, or another that computes its gradient steps as FastSAC does, such as redq.",
    ),
]
Folder = Annotated[Path, typer.Option(help="Folder to write; each seed gets a subfolder.")]
Model = Annotated[str | None, typer.Option(help="Folder of a fitted ensemble, instead of fitting one.")]
EvalEvery = Annotated[
    int | None,
    typer.Option(
        help="Gradient steps between evaluations in the real environment.",
        min=1,
        show_default="5000; 10 for trpo in a model",
    ),
]
Choose = Annotated[
    str | None,
    typer.Option(
        help="Which evaluated policy the run ends with: last, or the best by model (its return with "
        "pessimism), model_raw (without) or critics (their value of first observations).",
        show_default="last",
    ),
]
AgentJson = Annotated[
    str,
    typer.Option("--agent-options", help="Keywords of the agent as JSON, e.g. '{\"learning_rate\": 1e-4}'."),
]
MoreJson = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Any other setting of a run as JSON: n_envs, transitions_per_gradient_step (default 50 times "
        "the horizon), rollout_actions (policy or uniform), real_ratio, penalty_members, env_settings, "
        "algorithm_options, adversary, clone_epochs, clone_loss (mean or likelihood), clone_rounds, "
        "clone_rows, clone_horizon, standardize_obs, termination, start, eval_episodes, final_episodes; e.g. "
        "'{\"real_ratio\": 0.5}'.",
    ),
]
CloneFrom = Annotated[
    str | None,
    typer.Option(
        "--clone-from",
        help="Planner that the agent imitates in the model before it trains, with its settings, e.g. "
        "icem:horizon=10; needs clone_epochs in --settings.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Resume an interrupted run of your own: its checkpoint is a pickle, which can run code.",
    ),
]


def train(
    context: typer.Context,
    dataset: Dataset,
    folder: Folder = Path("runs/train"),
    algo: Algo = None,
    preset: PresetName = None,
    agent: Agent = None,
    steps: Steps = None,
    horizon: Horizon = None,
    penalty_coef: Coef = None,
    penalty: Penalty = None,
    penalty_scale: Scale = None,
    seeds: Seeds = "0",
    processes: Processes = 1,
    together: Together = False,
    model: Model = None,
    columns: ColumnsOption = None,
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    trust_dataset: TrustDataset = False,
    history: History = None,
    task: TaskName = None,
    eval_every: EvalEvery = None,
    choose: Choose = None,
    ensemble: EnsembleJson = "{}",
    fit: FitJson = "{}",
    agent_options: AgentJson = "{}",
    settings: MoreJson = "{}",
    clone_from: CloneFrom = None,
    device: Device = "cpu",
    resume: Resume = False,
) -> None:
    """Train a policy inside a model of DATASET and score it in the real environment.

    Interrupt it with Ctrl-C; run the same command with --resume to resume.
    """
    from offline_envs.cli.terminal.seeds import run_and_print

    options = {
        "dataset": dataset,
        "algorithm": algo,
        "agent": agent,
        "gradient_steps": steps,
        "horizon": horizon,
        "penalty_coef": penalty_coef,
        "penalty": penalty,
        "penalty_scale": penalty_scale,
        "model": model,
        "columns": parse_columns(columns),
        "env_id": env_id,
        "trust_dataset": trust_dataset or None,
        "history": history,
        "task": task,
        **{"eval_every": eval_every, "choose": choose, "clone_from": clone_from, "device": device},
        **_parsed(env_kwargs=env_kwargs, ensemble=ensemble, fit=fit, agent_options=agent_options),
    }
    chosen = _settings(preset, options, parse_json(settings, "--settings"))
    how: dict[str, Any] = {"resume": resume, "processes": processes, "together": together}
    run_and_print(chosen, parse_seeds(seeds), folder, prepare=context.obj, **how)


def _settings(preset: str | None, options: dict[str, Any], more: dict[str, Any]) -> "TrainSettings":
    """Settings of the run: of the preset, then the options that were given and those of --settings.

    Raises:
        SettingsError: A setting that is given twice, or see `TrainSettings`.
    """
    from offline_envs.runs import TrainSettings, merged

    _check_once(more, {*options, "seed"})
    given = {name: value for name, value in options.items() if value is not None and value != {}}
    return TrainSettings.for_algorithm(merged(_start(preset, given), {**given, **more}))


def _parsed(**texts: str) -> dict[str, Any]:
    """Values of options that are JSON, by the names of their settings."""
    return {name: parse_json(text, f"--{name.replace('_', '-')}") for name, text in texts.items()}


def _check_once(more: dict[str, Any], options: set[str]) -> None:
    twice = sorted(set(more) & options)
    if twice:
        raise SettingsError(f"--settings cannot hold {', '.join(twice)}: there are options for that.")


def _start(preset: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Settings of the preset, see `Preset.start_of`."""
    from offline_envs.runs import preset as preset_named

    if preset is None:
        return {}
    found = preset_named(preset)
    algorithm = found.settings["algorithm"]
    if given.get("algorithm", algorithm) != algorithm:
        raise SettingsError(f"--preset {preset} is for --algo {algorithm}: leave --algo out.")
    return found.start_of(given)

"""`ModelFree`: an algorithm of d3rlpy, trained by another interpreter and scored here like every run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box

from offline_envs.data import Transitions, check_continuous, d3rlpy_arrays
from offline_envs.errors import SettingsError
from offline_envs.files import delete, write_bytes
from offline_envs.policies import TorchScriptPolicy
from offline_envs.runs.algorithms.base import EVERY_RUN, Algorithm
from offline_envs.runs.algorithms.model_free.process import Message, Worker, interpreter
from offline_envs.runs.plots import plot_learning_curve
from offline_envs.runs.progress import RunProgress
from offline_envs.runs.results import MetricsRow, TrainResult
from offline_envs.runs.resuming.stopping import stop_request
from offline_envs.runs.run import EVALUATION_SEED, FINAL_SEED, Run
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import evaluate_in
from offline_envs.settings import JsonSettings

USES = tuple(name for name in EVERY_RUN if name not in ("agent", "agent_options"))

BEST_POLICY, LAST_POLICY = "best_policy.pt", "last_policy.pt"
LOG_FILE, ABOUT_FILE, DATASET_FILE, POLICY_FILE = "d3rlpy.log", "d3rlpy.json", "dataset.npz", "policy.pt"


@dataclass(frozen=True)
class ModelFreeOptions(JsonSettings):
    """Settings of a run with d3rlpy that no other run has.

    Attributes:
        python: Interpreter that has d3rlpy; None for that of the variable `OFFLINE_ENVS_D3RLPY` or, without
            it, the one that runs this package.
        config: Settings of the algorithm by d3rlpy's names, e.g. `{"conservative_weight": 10.0}`, in the form
            in which d3rlpy saves them; see the `...Config` classes of `d3rlpy.algos`.
    """

    python: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelFree(Algorithm):
    """A model-free algorithm of d3rlpy (Seno and Imai 2022, "d3rlpy: An Offline Deep RL Library").

    Attributes:
        learner: Its class in `d3rlpy.algos`.
        config: Settings in which the run differs from d3rlpy's defaults, by d3rlpy's names.
        for_next_actions: Whether it learns from the next action of the data, see `d3rlpy_arrays`.
    """

    uses: tuple[str, ...] = USES
    options: type[JsonSettings] | None = ModelFreeOptions
    learner: str
    config: Mapping[str, Any] = field(default_factory=dict)
    for_next_actions: bool = False

    def run_config(self, settings: RunSettings) -> dict[str, Any]:
        """Settings of d3rlpy's class: what the run gives overrides the algorithm's own."""
        return {**self.config, **self.own_settings(settings).config}

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        check_continuous(transitions.discrete_actions, settings.algorithm)
        check_bounded(transitions.action_space)
        check_warmup(settings, self.run_config(settings).get("warmup_steps"))

    def train(self, run: Run) -> TrainResult:
        """Let d3rlpy train, score each policy that it saves, and at the end the last one."""
        settings, folder = run.settings, run.folder
        python = interpreter(self.own_settings(settings).python)
        with Worker(python, folder.path / LOG_FILE) as worker, stop_request(interrupt):
            _Training(self, run, worker).carry_out()
        plot_learning_curve(folder.read_metrics(), run.transitions, folder.plots / "real_return.png")
        policy = _policy(run, folder.policies / LAST_POLICY)
        final = evaluate_in(run.real_env, policy, n_episodes=settings.final_episodes, seed=FINAL_SEED)
        result = TrainResult.of(settings, run.transitions, final, gradient_steps=settings.gradient_steps)
        folder.write_result(result)
        delete(folder.checkpoint)
        return result

    def request(self, run: Run, dataset: Path, start: int) -> Message:
        """What the worker is asked to do with the arrays in `dataset`, from gradient step `start` on."""
        settings, transitions = run.settings, run.transitions
        scaler = action_scaler(transitions.action_space)
        return {
            "learner": self.learner,
            "config": {**({} if scaler is None else {"action_scaler": scaler}), **self.run_config(settings)},
            "seed": settings.seed,
            "device": {"cpu": "cpu:0", "cuda": "cuda:0"}.get(settings.device, settings.device),
            "dataset": str(dataset.resolve()),
            "folder": str(run.folder.checkpoint.resolve()),
            "obs_dim": transitions.obs_dim,
            "action_dim": transitions.action_dim,
            "start": start,
            "steps": settings.gradient_steps,
            "every": settings.eval_every,
            "threads": torch.get_num_threads(),  # its share, where several seeds run at once
        }


class _Training:
    """The training of one run: from the dataset to the last row of `metrics.csv`."""

    def __init__(self, algorithm: ModelFree, run: Run, worker: Worker) -> None:
        self._algorithm, self._run, self._worker = algorithm, run, worker
        self._rows = _rows_to_resume(run)
        self._before = self._rows[-1].seconds if self._rows else 0.0
        self._started = time.monotonic()
        self._progress = RunProgress(run.settings.gradient_steps, shown=run.show_progress)

    def carry_out(self) -> None:
        """Write the dataset, and follow the worker to its end."""
        start = self._rows[-1].gradient_steps if self._rows else 0
        arrays = d3rlpy_arrays(self._run.transitions, for_next_actions=self._algorithm.for_next_actions)
        dataset = self._run.folder.path / DATASET_FILE
        self._progress.start()
        try:
            # Without allow_pickle=, which NumPy 2.0 would write as one more array.
            np.savez(dataset, **arrays)  # type: ignore[arg-type]
            request = self._algorithm.request(self._run, dataset, start)
            about = {**self._worker.about, **{name: request[name] for name in ("learner", "config")}}
            for message in self._worker.carry_out(request):
                self._follow(message, about)
        finally:
            dataset.unlink(missing_ok=True)
            self._progress.stop()

    def _follow(self, message: Message, about: Message) -> None:
        folder = self._run.folder
        if "n_transitions" in message:
            folder.write_json(folder.path / ABOUT_FILE, {**about, **message})
        elif message.get("saved"):
            self._evaluate(message["step"])
        else:
            self._progress.advance_to(message["step"])

    def _evaluate(self, step: int) -> None:
        """Score the policy after `step`, and keep the state that belongs to it in place of older ones."""
        folder, settings = self._run.folder, self._run.settings
        saved = _step_folder(folder.checkpoint, step)
        policy = _policy(self._run, saved / POLICY_FILE)
        found = evaluate_in(
            self._run.real_env, policy, n_episodes=settings.eval_episodes, seed=EVALUATION_SEED
        )
        seconds = self._before + time.monotonic() - self._started
        self._rows.append(MetricsRow.of(found, gradient_steps=step, seconds=seconds))
        content = (saved / POLICY_FILE).read_bytes()
        write_bytes(folder.policies / LAST_POLICY, content)
        if found.mean >= max(row.real_return for row in self._rows):
            write_bytes(folder.policies / BEST_POLICY, content)
        folder.write_metrics(self._rows)
        for row in self._rows[:-1]:
            delete(_step_folder(folder.checkpoint, row.gradient_steps))
        self._progress.evaluated(step, f"real return {found.mean:.0f} ± {found.std:.0f}")
        self._run.tell(self._rows[-1])


def _rows_to_resume(run: Run) -> list[MetricsRow]:
    """Evaluations of an interrupted run if the last state is there; other states are deleted."""
    rows = run.folder.read_metrics()
    if not rows or not _step_folder(run.folder.checkpoint, rows[-1].gradient_steps).is_dir():
        delete(run.folder.checkpoint)
        return []
    for folder in run.folder.checkpoint.glob("step-*"):
        if folder.name != f"step-{rows[-1].gradient_steps}":
            delete(folder)
    return rows


def _step_folder(checkpoint: Path, step: int) -> Path:
    return checkpoint / f"step-{step}"


def _policy(run: Run, path: Path) -> TorchScriptPolicy:
    transitions = run.transitions
    return TorchScriptPolicy(path, transitions.obs_dim, transitions.action_space, seed=run.settings.seed)


def check_bounded(space: Box) -> None:
    """Refuse actions without bounds, which the policies of d3rlpy cannot reach.

    Raises:
        SettingsError: The box is not bounded.
    """
    if not space.is_bounded():
        raise SettingsError(f"d3rlpy's policies act in a bounded Box, got {space}.")


def check_warmup(settings: RunSettings, warmup_steps: Any) -> None:
    """Refuse a run that ends before its actor has learned anything from the critics.

    Complete runs that older versions let pass stay readable, so only new ones are checked.

    Args:
        settings: The run.
        warmup_steps: Gradient steps in which only the data's actions are learned; None for an algorithm
            without. What is no number is left to d3rlpy.

    Raises:
        SettingsError: It does.
    """
    if isinstance(warmup_steps, int | float) and settings.gradient_steps <= warmup_steps:
        raise SettingsError(
            f"{settings.algorithm} learns only the data's actions in its first warmup_steps, so "
            f"gradient_steps must be more, got {settings.gradient_steps} and {warmup_steps}. Take more, or "
            f'a shorter warm-up: --settings \'{{"algorithm_options": {{"config": {{"warmup_steps": '
            f"{settings.gradient_steps // 2}}}}}}}'."
        )


def action_scaler(space: Box) -> dict[str, Any] | None:
    """What maps a box to [−1, 1], where d3rlpy's policies act, in its own form; None for that box itself."""
    if (space.low == -1).all() and (space.high == 1).all():
        return None
    bounds = {"minimum": space.low.tolist(), "maximum": space.high.tolist()}
    return {"type": "min_max", "params": bounds}


def interrupt() -> None:
    """End a run as Ctrl-C does, also where SIGTERM asks for it.

    Raises:
        KeyboardInterrupt: Always.
    """
    raise KeyboardInterrupt

"""`ModelBased`: an agent trained inside a learned environment and scored in the real one."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.data import Transitions, check_continuous
from offline_envs.envs import LearnedVectorEnv
from offline_envs.errors import CheckpointError
from offline_envs.evaluation import ReturnPredictor
from offline_envs.files import copy_folder, read_json
from offline_envs.mdp import check_termination
from offline_envs.runs.agent import collects_on_device, new_agent, run_agent_class
from offline_envs.runs.algorithms.agent_needs import check_agent_model, check_agent_needs
from offline_envs.runs.algorithms.base import EVERY_RUN, Algorithm, AlgorithmState
from offline_envs.runs.algorithms.cloning import clone_policy
from offline_envs.runs.algorithms.learning import METRICS_FILE, MODEL_FILE, Learning, evaluator_of, model_of
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.results import MetricsRow, TrainResult, read_metrics
from offline_envs.runs.resuming.checkpoint import has_checkpoint, load_checkpoint
from offline_envs.runs.resuming.stopping import StopRequest
from offline_envs.runs.run import ModelRun, Run, model_folder
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv

IN_MODEL = (
    *EVERY_RUN,
    *("model", "ensemble", "fit", "termination", "start", "horizon", "env_settings"),
    *("n_envs", "transitions_per_gradient_step", "rollout_actions", "real_ratio"),
    *("clone_epochs", "clone_loss", "clone_from", "clone_rounds", "clone_rows", "clone_horizon"),
    *("standardize_obs", "choose", "evaluate_beside"),
    *("penalty", "penalty_members"),  # the uncertainty with which the model's error is compared at the end
)
"""Settings that every algorithm with a model uses."""

LONGER = 1.1
"""Gradient steps of a run in units of those asked for, above which it warns."""


@dataclass(frozen=True)
class ModelBased(Algorithm):
    """An agent inside a learned environment. A subclass overrides the hooks in which it differs.

    Attributes:
        env_id: Learned environment that it trains in.
        env_settings: Settings of a run, or properties of `RunSettings`, that its environment takes by the
            same names.
    """

    env_id: str
    uses: tuple[str, ...] = field(default=IN_MODEL, kw_only=True)
    env_settings: tuple[str, ...] = field(default=(), kw_only=True)

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        check_agent_needs(settings)

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        check_agent_model(settings, transitions)
        check_termination(settings.termination, transitions)
        self._check_length(settings)
        if settings.clone_from is not None:
            check_continuous(transitions.discrete_actions, f"clone_from={settings.clone_from!r}: a planner")

    def gradient_steps(self, settings: RunSettings) -> int:
        """See `Algorithm`: whole cycles of collecting and learning."""
        cycle = settings.cycle()
        return cycle.n_cycles(settings.gradient_steps) * cycle.gradient_steps

    def env_options(self, settings: RunSettings) -> dict[str, Any]:
        """See `Algorithm`."""
        return {name: getattr(settings, name) for name in self.env_settings}

    def make_vec_options(self, settings: RunSettings) -> dict[str, Any]:
        """All keywords that a run gives to `gym.make_vec` for its environment."""
        return {**settings.model_options(), **self.env_options(settings), **settings.env_settings}

    def start(self, run: ModelRun) -> None:
        """Prepare a new agent before its training; not called for one from a checkpoint.

        By default its policy is fitted to the dataset for the run's `clone_epochs`.
        """
        if run.settings.clone_epochs:
            clone_policy(run)

    def state(self, run: ModelRun) -> AlgorithmState:
        """Make the algorithm's state of a run: callbacks, files of checkpoints, artefacts."""
        return AlgorithmState()

    def train(self, run: Run) -> TrainResult:
        """Train a new agent, or resume from the run's checkpoint, and score it.

        Raises:
            CheckpointError: The model or the checkpoint cannot be read.
            KeyboardInterrupt: Stopped; the folder has a checkpoint, of the end of a cycle.
        """
        with self.opened(run, StopRequest()) as learning:
            learning.alone()
            return learning.score()

    @contextmanager
    def opened(self, run: Run, stop: StopRequest) -> Iterator[Learning]:
        """Make model, environment and agent of a run, the agent new or from the run's checkpoint.

        Args:
            run: The run.
            stop: What asks it to stop at the end of a cycle.

        Raises:
            CheckpointError: The model or the checkpoint cannot be read.
        """
        with ExitStack() as stack:
            envs = stack.enter_context(closing(self._make_envs(run)))
            _keep_model(run)
            resumed = has_checkpoint(run.folder.checkpoint)
            vec_env = SB3VecEnv(envs)
            agent = _agent(run, vec_env, resumed=resumed)
            learned = envs.unwrapped
            assert isinstance(learned, LearnedVectorEnv)
            predictor = ReturnPredictor(learned, agent, run.real_env)
            in_model = ModelRun(
                **vars(run), agent=agent, vec_env=vec_env, learned=learned, predictor=predictor
            )
            if not resumed:
                self.start(in_model)
            agent.set_logger(stack.enter_context(closing(_logger(run.folder))))
            state = self.state(in_model)
            rows: list[MetricsRow] = []
            if resumed:
                _check_model(run)
                state.load(run.folder.checkpoint)
                rows = read_metrics(run.folder.checkpoint / METRICS_FILE)
                run.folder.write_metrics(rows)
            evaluator = stack.enter_context(evaluator_of(in_model))
            yield Learning(in_model, state, rows, evaluator, stop, self.gradient_steps(run.settings))

    def _check_length(self, settings: RunSettings) -> None:
        """Warn about a run that is much longer than its settings say."""
        asked, taken = settings.gradient_steps, self.gradient_steps(settings)
        if taken > LONGER * asked:
            cycle = settings.cycle()
            warnings.warn(
                f"gradient_steps={asked}, but {settings.algorithm} collects {cycle.timesteps} transitions, "
                f"whole imagined episodes, before the {cycle.gradient_steps} gradient steps from them, and "
                f"repeats this: the run takes {taken}. Lower n_envs={settings.n_envs} or "
                f"horizon={settings.horizon} to collect fewer at a time.",
                stacklevel=2,
            )

    def _make_envs(self, run: Run) -> VectorEnv[Any, Any, Any]:
        """Make environments of the run's dataset, which already has the reward of its task."""
        settings, folder = run.settings, run.folder
        options = self.make_vec_options(settings)
        options |= {"dataset": run.transitions, "columns": None, "env_id": None}
        options |= {"task": None, "history": 1}
        if folder.model.exists():
            options |= {"model": str(folder.model), "ensemble": None, "fit": None}
        output = "torch" if collects_on_device(settings) else "numpy"
        options |= {"autoreset_mode": AutoresetMode.SAME_STEP, "output": output}
        return gym.make_vec(self.env_id, num_envs=settings.n_envs, progress=run.show_progress, **options)


def _keep_model(run: Run) -> None:
    """Copy the model into the run's folder, so that the folder is self-contained."""
    if not run.folder.model.exists():
        copy_folder(model_folder(run.settings, run.transitions), run.folder.model)


def _check_model(run: Run) -> None:
    """Refuse to resume in another model than the one in which the checkpoint was trained.

    Raises:
        CheckpointError: The run's folder holds another model.
    """
    if read_json(run.folder.checkpoint / MODEL_FILE) != model_of(run):
        raise CheckpointError(
            f"{run.folder.model} is not the model that {run.folder.checkpoint} was trained in. Put that one "
            "back, or start again in another folder."
        )


def _agent(run: Run, vec_env: SB3VecEnv, *, resumed: bool) -> BaseAlgorithm:
    settings = run.settings
    if resumed:
        kind, device = run_agent_class(settings), settings.device
        agent = load_checkpoint(kind, run.folder.checkpoint, vec_env, device=device)
    else:
        agent = new_agent(settings, vec_env, run.transitions)
    if isinstance(agent, OffPolicyAlgorithm) and isinstance(agent.replay_buffer, MixedReplayBuffer):
        agent.replay_buffer.use(run.transitions)
    return agent


def _logger(folder: RunFolder) -> Logger:
    return Logger(None, [TensorBoardOutputFormat(str(folder.tensorboard))])

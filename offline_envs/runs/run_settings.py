"""`RunSettings`: the settings of a run, whatever its algorithm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gymnasium.envs.registration import EnvSpec

from offline_envs.agents import AGENTS
from offline_envs.data import Transitions, check_history, named_environment
from offline_envs.dynamics import EnsembleSettings, FitSettings
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp import STARTS, TERMINATIONS
from offline_envs.methods import Penalty
from offline_envs.policies import check_planner_alone
from offline_envs.runs.choice.figures import CHOICES, LAST
from offline_envs.runs.cycle import Cycle, make_cycle
from offline_envs.sb3 import CLONE_LOSSES
from offline_envs.settings import LARGEST_GLOBAL_SEED, JsonSettings, added_later, check_seed
from offline_envs.tasks import find_task, task_transitions

Nested = TypeVar("Nested", bound=JsonSettings)

ROLLOUT_ACTIONS = ("policy", "uniform")

COUNTS = (
    "gradient_steps",
    "horizon",
    "adversary_every",
    "n_envs",
    "eval_every",
    "eval_episodes",
    "final_episodes",
    "clone_rounds",
    "clone_rows",
    "clone_horizon",
)
"""Settings that must be at least 1."""


@dataclass(frozen=True)
class RunSettings(JsonSettings):
    """One policy, trained inside one model, scored in the real environment.

    Defaults are those of MOPO's release (Yu et al. 2020) where it has them. `TrainSettings` also checks what
    the algorithm can use.

    Attributes:
        dataset: Id or path of the dataset.
        algorithm: Name of the algorithm, see `ALGORITHMS`.
        agent: Short name of the Stable-Baselines3 agent, see `offline_envs.agents.AGENTS`.
        gradient_steps: Gradient steps of the agent; of TRPO, natural gradient steps of the policy. A
            run that learns in cycles ends with a whole one, `RunSettings.cycle`.
        horizon: Steps of an imagined episode, h.
        penalty_coef: λ, the weight of a penalty on uncertainty.
        penalty: Name of the uncertainty measure.
        penalty_members: Members whose predictions are measured, `"all"` or `"elites"`.
        penalty_scale: Unit in which λ counts, `"raw"`, `"data"` or `"reward"`, see `Penalty`.
        env_settings: Further keywords of the algorithm's environment by name, e.g. `{"kappa": 50}`.
        algorithm_options: The algorithm's own settings by name, of the class `Algorithm.options`.
        adversary: Settings of an adversary of the model by name, see `AdversarySettings`.
        adversary_every: Gradient steps of the agent between its updates.
        clone_epochs: Epochs of behaviour cloning before the agent starts, see `BehaviorCloner`.
        clone_loss: What they minimise: `"mean"`, the distance of the deterministic action, or `"likelihood"`,
            which fits the spread of sampled actions as well.
        clone_from: Policy that is imitated in place of the dataset's behaviour, a planner by name with its
            settings such as `"icem:horizon=10"`, see `Imitator`; None for the dataset.
        clone_rounds: Rounds of imitation; `clone_epochs` are those of each.
        clone_rows: Imagined episodes that are followed together in each round.
        clone_horizon: Their steps.
        n_envs: Imagined episodes advanced together.
        transitions_per_gradient_step: Model transitions collected per gradient step; 50·h if None. TRPO's
            must be a multiple of `n_envs`, within 1 %.
        rollout_actions: Actions in imagined episodes while the agent learns: its `"policy"`'s, or `"uniform"`
            ones, see `with_uniform_rollouts`. Only for agents with a replay buffer.
        real_ratio: Share of every batch that comes from the dataset.
        seed: Seed of the model's fit, the agent, its batches and the imagined episodes.
        columns: What the columns of a table are by key, see `offline_envs.data.Columns`.
        env_id: Environment behind the dataset, if its metadata do not name it.
        env_kwargs: Keywords of the environment `env_id` by name.
        trust_dataset: Whether the environment that the dataset's metadata describe is made as they say, which
            can run any code.
        history: Number of recorded observations, with the actions between them, that the policy and the model
            see as one, see `offline_envs.data.with_history`.
        task: Task whose reward the dataset gets and in whose environment the policy is scored: a name with
            settings, e.g. `"ant-angle:degrees=45"`.
        model: Folder of a fitted ensemble; if None, it is fitted or found in the cache.
        ensemble: Settings of the ensemble by name, see `EnsembleSettings`.
        fit: Settings of the fit by name, see `FitSettings`.
        termination: `"auto"`, `"never"` or `"learned"`.
        start: `"dataset"` or `"initial"`.
        device: Device of model and agent, e.g. `"cpu"` or `"cuda"`.
        agent_options: Further keywords of the agent's constructor.
        standardize_obs: Whether the agent's networks see observations in deviations of the dataset, see
            `StandardizedObs`.
        eval_every: Gradient steps between evaluations in the real environment.
        eval_episodes: Episodes of each of them.
        evaluate_beside: Whether they take place in a process of their own while training continues, with the
            same results; one is waited for when the next is due, a checkpoint is written or the run ends.
        choose: Which of the evaluated policies the run ends with: the `"last"`, or the one of the best figure
            of `CHOICES`, none of which asks the real environment.
        final_episodes: Episodes of the last evaluation.

    Raises:
        SettingsError: An unknown name, a value of another type or out of range, or a contradiction.
    """

    dataset: str
    algorithm: str = "mopo"
    agent: str = "sac"
    gradient_steps: int = 1_000_000
    horizon: int = 5
    penalty_coef: float = Penalty.penalty_coef
    penalty: str = Penalty.penalty
    penalty_members: str = Penalty.penalty_members
    penalty_scale: str = Penalty.penalty_scale
    env_settings: Mapping[str, Any] = field(default_factory=dict)
    algorithm_options: Mapping[str, Any] = field(default_factory=dict)
    adversary: Mapping[str, Any] = field(default_factory=dict)
    adversary_every: int = 1_000
    clone_epochs: int = 0
    clone_loss: str = added_later("mean")
    clone_from: str | None = added_later(None)
    clone_rounds: int = added_later(4)
    clone_rows: int = added_later(100)
    clone_horizon: int = added_later(10)
    n_envs: int = 500
    transitions_per_gradient_step: float | None = None
    rollout_actions: str = "policy"
    real_ratio: float = 0.05
    seed: int = 0
    columns: Mapping[str, Any] | None = added_later(None)
    env_id: str | None = None
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    trust_dataset: bool = False
    history: int = added_later(1)
    task: str | None = None
    model: str | None = None
    ensemble: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    termination: str = "auto"
    start: str = "dataset"
    device: str = "cpu"
    agent_options: Mapping[str, Any] = field(default_factory=dict)
    standardize_obs: bool = added_later(False)
    eval_every: int = 5_000
    eval_episodes: int = 10
    evaluate_beside: bool = added_later(False)
    choose: str = added_later(LAST)
    final_episodes: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        tables: dict[str, Iterable[str]] = {
            "agent": AGENTS,
            "choose": (LAST, *CHOICES),
            "clone_loss": CLONE_LOSSES,
            "rollout_actions": ROLLOUT_ACTIONS,
            "start": STARTS,
            "termination": TERMINATIONS,
        }
        for name, table in tables.items():
            if getattr(self, name) not in set(table):
                raise unknown_name(name, getattr(self, name), table)
        self._check_ranges()
        if self.task is not None:
            find_task(self.task)
        self.cycle()
        self._check_penalty()
        self._check_model()
        self._check_expert()

    def _check_ranges(self) -> None:
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        check_seed(self.seed, largest=LARGEST_GLOBAL_SEED)
        check_history(self.history)
        if not 0 <= self.real_ratio <= 1:
            raise SettingsError(f"real_ratio must be between 0 and 1, got {self.real_ratio}.")
        if self.clone_epochs < 0:
            raise SettingsError(f"clone_epochs must be 0 or more, got {self.clone_epochs}.")
        if self.clone_loss == "likelihood" and AGENTS.find(self.agent).needs_noise:
            raise SettingsError(
                f"clone_loss='likelihood' needs a policy that samples its actions, and {self.agent}'s is "
                "deterministic. Use 'mean'."
            )
        agent = AGENTS.find(self.agent)
        if self.choose == "critics" and not (agent.off_policy and agent.continuous):
            raise SettingsError(
                f"choose='critics' needs critics Q(s, a) of an actor, and {self.agent} has none. Use 'model'."
            )

    def _check_penalty(self) -> None:
        Penalty(self.penalty_coef, self.penalty, self.penalty_members, self.penalty_scale)

    def _check_model(self) -> None:
        if self.model is not None and (self.ensemble or self.fit):
            raise SettingsError("model is already fitted, so ensemble and fit cannot be given with it.")
        parts: tuple[tuple[str, type[JsonSettings]], ...] = (
            ("ensemble", EnsembleSettings),
            ("fit", FitSettings),
        )
        for name, kind in parts:
            self.nested(name, kind)

    def _check_expert(self) -> None:
        if self.clone_from is None:
            names = ("clone_rounds", "clone_rows", "clone_horizon")
            changed = [name for name in names if getattr(self, name) != getattr(type(self), name)]
            if changed:
                raise SettingsError(f"{', '.join(changed)}: only with clone_from, a planner to imitate.")
            return
        check_planner_alone(self.clone_from, "clone_from")
        if self.clone_epochs < 1:
            raise SettingsError(
                f"clone_from={self.clone_from!r} needs clone_epochs, the epochs of each fit to its actions, "
                "e.g. 20; got 0."
            )

    def transitions(self) -> Transitions:
        """Load the dataset, with the reward of the run's task and the history that it has.

        A Dict of observations is flattened: agents of runs see one array.

        Raises:
            OfflineEnvsError: See `offline_envs.tasks.task_transitions`.
        """
        return task_transitions(
            self.dataset,
            self.task,
            columns=self.columns,
            env_id=self.named_environment(),
            trust_dataset=self.trust_dataset,
            history=self.history,
        ).flattened

    def nested(self, name: str, kind: type[Nested]) -> Nested:
        """Convert the mapping in the field `name` to the class of its settings.

        Raises:
            SettingsError: An unknown name, or a value that the class refuses.
        """
        try:
            return kind.from_json(getattr(self, name))
        except TypeError as error:
            raise SettingsError(f"{name} has a value of the wrong type: {error}") from error

    def cycle(self) -> Cycle:
        """Numbers of model transitions and gradient steps that alternate during training.

        Raises:
            SettingsError: A ratio that the agent cannot keep.
        """
        return make_cycle(self.agent, n_envs=self.n_envs, horizon=self.horizon, ratio=self.transitions_ratio)

    @property
    def transitions_ratio(self) -> float:
        """Model transitions collected for each gradient step."""
        ratio = self.transitions_per_gradient_step
        return 50.0 * self.horizon if ratio is None else ratio

    @property
    def gamma(self) -> float:
        """The agent's discount; SB3's own default is 0.99."""
        discount: float = self.agent_options.get("gamma", 0.99)
        return discount

    def named_environment(self) -> str | EnvSpec | None:
        """Return the environment behind the dataset, with its keywords, as `env_id=` takes it.

        Raises:
            SettingsError: There are keywords without an id.
            DatasetError: There is no such environment.
        """
        return named_environment(self.env_id, self.env_kwargs)

    def fit_options(self) -> dict[str, Any]:
        """Settings of the fit by name; each seed fits its own model, unless `fit` gives one seed for all."""
        return {} if self.model is not None else {"seed": self.seed, **self.fit}

    def model_options(self) -> dict[str, Any]:
        """Keywords of `gym.make_vec` for the environment that the agent trains in, whatever its method."""
        return {
            "dataset": self.dataset,
            "model": self.model,
            "columns": self.columns,
            "env_id": self.named_environment(),
            "history": self.history,
            "task": self.task,
            "ensemble": dict(self.ensemble),
            "fit": self.fit_options(),
            "termination": self.termination,
            "start": self.start,
            "device": self.device,
            "max_episode_steps": self.horizon,
        }

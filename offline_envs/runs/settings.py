"""Settings of a training run: frozen, checked, and written into the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from offline_envs.adversary import AdversarySettings
from offline_envs.dynamics import EnsembleSettings, FitSettings
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.methods import Penalty
from offline_envs.runs.algorithms import ALGORITHMS, algorithm
from offline_envs.runs.cycle import Cycle, make_cycle, off_policy
from offline_envs.sb3 import AGENTS
from offline_envs.settings import JsonSettings
from offline_envs.tasks import find_task

TERMINATIONS = ("auto", "never", "learned")
STARTS = ("dataset", "initial")
ROLLOUT_ACTIONS = ("policy", "uniform")
VECTOR_OPTIONS = ("num_envs", "output", "autoreset_mode", "step_infos", "progress", "cache_dir")
"""Keywords of `gym.make_vec` that a run decides about besides those of `TrainSettings.env_options`."""

COUNTS = (
    "gradient_steps",
    "horizon",
    "adversary_every",
    "n_envs",
    "eval_every",
    "eval_episodes",
    "final_episodes",
)
"""Settings that must be at least 1."""


@dataclass(frozen=True)
class TrainSettings(JsonSettings):
    """One policy, trained inside one model, scored in the real environment.

    Defaults are those of MOPO's release (Yu et al. 2020) where it has them; `for_algorithm` gives those of
    the other algorithms.

    Attributes:
        dataset: Id or path of the dataset.
        algorithm: Name of the algorithm, see `ALGORITHMS`.
        agent: Short name of the Stable-Baselines3 agent, see `offline_envs.sb3.AGENTS`.
        gradient_steps: Gradient steps of the agent; of TRPO, natural gradient steps of the policy.
        horizon: Steps of an imagined episode, h.
        penalty_coef: λ of MOPO's penalty; MBPO has none.
        penalty: Name of the uncertainty measure.
        penalty_members: Whose predictions are measured, `"all"` or `"elites"`.
        env_settings: Further keywords of the algorithm's environment by name, e.g. `{"kappa": 50}`.
        adversary: Settings of RAMBO's adversary by name, see `AdversarySettings`.
        adversary_every: Gradient steps of the agent between its updates.
        clone_epochs: Epochs of behaviour cloning before the agent starts, see `BehaviorCloner`.
        n_envs: Imagined episodes advanced together.
        transitions_per_gradient_step: Model transitions collected for a gradient step; 50·h if None.
        rollout_actions: Who acts in imagined episodes while the agent learns: `"policy"`, or `"uniform"` for
            actions drawn uniformly, see `with_uniform_rollouts`. Only for agents with a replay buffer.
        real_ratio: Share of every batch that comes from the dataset.
        seed: Seed of the model's fit, the agent, its batches and the imagined episodes.
        env_id: Environment behind the dataset, if its metadata do not say.
        task: Task whose reward the dataset gets and in whose environment the policy is scored: a name with
            settings, e.g. `"ant-angle:degrees=45"`.
        model: Folder of a fitted ensemble; fitted, or found in the cache, if None.
        ensemble: Settings of the ensemble by name, see `EnsembleSettings`.
        fit: Settings of the fit by name, see `FitSettings`.
        termination: `"auto"`, `"never"` or `"learned"`.
        start: `"dataset"` or `"initial"`.
        device: Where model and agent are computed.
        agent_options: Further keywords of the agent's constructor.
        eval_every: Gradient steps between evaluations in the real environment.
        eval_episodes: Episodes of each of them.
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
    env_settings: Mapping[str, Any] = field(default_factory=dict)
    adversary: Mapping[str, Any] = field(default_factory=dict)
    adversary_every: int = 1_000
    clone_epochs: int = 0
    n_envs: int = 500
    transitions_per_gradient_step: float | None = None
    rollout_actions: str = "policy"
    real_ratio: float = 0.05
    seed: int = 0
    env_id: str | None = None
    task: str | None = None
    model: str | None = None
    ensemble: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    termination: str = "auto"
    start: str = "dataset"
    device: str = "cpu"
    agent_options: Mapping[str, Any] = field(default_factory=dict)
    eval_every: int = 5_000
    eval_episodes: int = 10
    final_episodes: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        tables = {
            "algorithm": ALGORITHMS,
            "agent": AGENTS,
            "rollout_actions": ROLLOUT_ACTIONS,
            "start": STARTS,
            "termination": TERMINATIONS,
        }
        for name, table in tables.items():
            if getattr(self, name) not in table:
                raise unknown_name(name, getattr(self, name), table)
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise SettingsError(f"seed must lie in 0..{2**32 - 1}, got {self.seed}.")
        if not 0 <= self.real_ratio <= 1:
            raise SettingsError(f"real_ratio must be between 0 and 1, got {self.real_ratio}.")
        if self.clone_epochs < 0:
            raise SettingsError(f"clone_epochs must be 0 or more, got {self.clone_epochs}.")
        if self.task is not None:
            find_task(self.task)
        self.cycle()
        Penalty(self.penalty_coef, self.penalty, self.penalty_members)
        self._check_model()
        self._check_used()

    def _check_used(self) -> None:
        """Refuse settings that the algorithm would not look at, or cannot work with."""
        chosen = algorithm(self.algorithm)
        if self.env_settings and chosen.env_id is None:
            raise SettingsError(f"{self.algorithm} trains in no environment, so env_settings must be empty.")
        for name in self.env_settings:
            if name in (*self._own_env_options(), *VECTOR_OPTIONS):
                raise SettingsError(
                    f"env_settings cannot hold {name!r}: a run sets it from its own settings."
                )
        if self.rollout_actions == "uniform":
            self._check_uniform_rollouts()
        if "adversary" not in chosen.unused:
            self._check_adversary()
        elif self.adversary:
            raise SettingsError(f"adversary is a setting of rambo, not of {self.algorithm}.")

    def _check_uniform_rollouts(self) -> None:
        if "rollout_actions" in algorithm(self.algorithm).unused:
            raise SettingsError(f"{self.algorithm} has no rollouts, so rollout_actions must be 'policy'.")
        if not off_policy(self.agent):
            raise SettingsError(
                f"rollout_actions='uniform' needs an agent with a replay buffer, such as sac: {self.agent} "
                "learns from actions of its own policy alone."
            )

    def _check_adversary(self) -> None:
        if not off_policy(self.agent):
            raise SettingsError(f"{self.algorithm} needs an agent with critics Q(s, a), not {self.agent}.")
        if "gamma" in self.adversary:
            raise SettingsError("adversary cannot hold 'gamma': it is the agent's, see agent_options.")
        ratio = AdversarySettings.from_json(self.adversary).steps_per_update
        if round(self.adversary_every * ratio) < 1:
            raise SettingsError(
                "adversary_every times the adversary's steps_per_update must give a whole step, got "
                f"{self.adversary_every} and {ratio}."
            )

    def _check_model(self) -> None:
        if self.model is not None and (self.ensemble or self.fit):
            raise SettingsError("model is already fitted, so ensemble and fit cannot be given with it.")
        parts: tuple[tuple[str, type[JsonSettings]], ...] = (
            ("ensemble", EnsembleSettings),
            ("fit", FitSettings),
            ("adversary", AdversarySettings),
        )
        for name, kind in parts:
            try:
                kind.from_json(getattr(self, name))
            except TypeError as error:
                raise SettingsError(f"{name} has a value of the wrong type: {error}") from error

    @classmethod
    def for_algorithm(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings from JSON values; what is left out takes the algorithm's own default.

        Raises:
            SettingsError: See `TrainSettings`; or a value of a setting that means nothing to the algorithm.
        """
        name = values.get("algorithm", cls.algorithm)
        chosen = algorithm(name).with_defaults(values)
        idle = [n for n in values if n in algorithm(name).unused]
        if "real_ratio" in values and chosen.get("agent") in AGENTS and not off_policy(chosen["agent"]):
            idle.append("real_ratio")
        if idle:
            raise SettingsError(f"{', '.join(sorted(idle))}: {name} does not use that. Leave it out.")
        return cls.from_json(chosen)

    def cycle(self) -> Cycle:
        """How many model transitions are collected before how many gradient steps.

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
        """The agent's discount, on which depends what a halt that pays for ever pays; SB3's own is 0.99."""
        discount: float = self.agent_options.get("gamma", 0.99)
        return discount

    def fit_options(self) -> dict[str, Any]:
        """Settings of the fit by name; each seed fits its own model, unless `fit` names one seed for all."""
        return {} if self.model is not None else {"seed": self.seed, **self.fit}

    def env_options(self) -> dict[str, Any]:
        """Keywords of `gym.make_vec` for the environment that the agent trains in."""
        return {**self._own_env_options(), **self.env_settings}

    def _own_env_options(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            "env_id": self.env_id,
            "task": self.task,
            "ensemble": dict(self.ensemble),
            "fit": self.fit_options(),
            "termination": self.termination,
            "start": self.start,
            "device": self.device,
            "max_episode_steps": self.horizon,
            **{name: getattr(self, name) for name in algorithm(self.algorithm).env_settings},
        }

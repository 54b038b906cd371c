"""Settings of a training run: frozen, checked, and written into the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from offline_envs.dynamics.settings import JsonSettings
from offline_envs.errors import SettingsError, unknown_name

ALGORITHMS: Mapping[str, str] = MappingProxyType({"mopo": "PenalizedModel-v0", "mbpo": "LearnedModel-v0"})
"""Algorithm → id of the environment that it trains in."""


@dataclass(frozen=True)
class TrainSettings(JsonSettings):
    """One policy, trained inside one model, scored in the real environment.

    Defaults are those of MOPO's release (Yu et al. 2020) where it has them.

    Attributes:
        dataset: Id or path of the dataset.
        algorithm: `"mopo"` or `"mbpo"`.
        agent: Short name of the Stable-Baselines3 agent, see `offline_envs.sb3.AGENTS`.
        gradient_steps: Gradient steps of the agent.
        horizon: Steps of an imagined episode, h.
        penalty_coef: λ of MOPO's penalty; MBPO has none.
        penalty: Name of the uncertainty measure.
        penalty_members: Whose predictions are measured, `"all"` or `"elites"`.
        n_envs: Imagined episodes advanced together.
        transitions_per_gradient_step: Model transitions collected for a gradient step; 50·h if None.
        real_ratio: Share of every batch that comes from the dataset.
        seed: Seed of the agent, its batches and the imagined episodes.
        env_id: Environment behind the dataset, if its metadata do not say.
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
    """

    dataset: str
    algorithm: str = "mopo"
    agent: str = "sac"
    gradient_steps: int = 1_000_000
    horizon: int = 5
    penalty_coef: float = 1.0
    penalty: str = "max_std"
    penalty_members: str = "all"
    n_envs: int = 500
    transitions_per_gradient_step: float | None = None
    real_ratio: float = 0.05
    seed: int = 0
    env_id: str | None = None
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
        if self.algorithm not in ALGORITHMS:
            raise unknown_name("algorithm", self.algorithm, ALGORITHMS)
        counts = ("gradient_steps", "horizon", "n_envs", "eval_every", "eval_episodes", "final_episodes")
        for name in counts:
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")

    @property
    def transitions_ratio(self) -> float:
        """Model transitions collected for each gradient step."""
        ratio = self.transitions_per_gradient_step
        return 50.0 * self.horizon if ratio is None else ratio

    def env_options(self) -> dict[str, Any]:
        """Keywords of `gym.make_vec` for the environment that the agent trains in."""
        penalty = {
            "penalty_coef": self.penalty_coef,
            "penalty": self.penalty,
            "penalty_members": self.penalty_members,
        }
        return {
            "dataset": self.dataset,
            "model": self.model,
            "env_id": self.env_id,
            "ensemble": None if self.model else dict(self.ensemble),
            "fit": None if self.model else dict(self.fit),
            "termination": self.termination,
            "start": self.start,
            "device": self.device,
            "max_episode_steps": self.horizon,
            **(penalty if self.algorithm == "mopo" else {}),
        }

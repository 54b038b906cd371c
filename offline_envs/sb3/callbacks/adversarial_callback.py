"""`AdversarialCallback`: an SB3 agent trains against a model that moves against it."""

from dataclasses import replace
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.adversary import Adversary, AdversarySettings, UpdateReport
from offline_envs.dynamics import FitSettings
from offline_envs.envs import LearnedEnv, LearnedVectorEnv
from offline_envs.errors import SettingsError
from offline_envs.sb3.agents import gradient_steps
from offline_envs.sb3.callbacks.adversarial_layers import adversarial_env_of
from offline_envs.sb3.callbacks.agent_view import agent_view
from offline_envs.settings import check_arguments


class AdversarialCallback(BaseCallback):
    """RAMBO (Rigter et al. 2022): update the model against the agent every `every` of its gradient steps.

    The agent trains in `AdversarialModel-v0`, whose model this changes against the agent's current policy and
    values: Q(s, a) of its critics, or of agents such as TRPO, whose gradient steps are those of the policy,
    V(s) in place of it. SB3 takes a cycle's gradient steps in one go, so the model is updated after the first
    cycle that reaches a multiple of `every`: before the next transitions are collected, and at the end of
    `learn`.

    Steps that were due when `learn` was interrupted are taken first when it resumes, also in another process
    with the saved agent and `state`. Gradient steps that the agent took before its adversary was first
    attached are not made up for, and neither are steps that the adversary skipped.

    It logs `adversary/adversarial_loss`, `log_prob`, `advantage`, `advantage_std`, `supervised_loss` and
    `holdout_ratio` (see `UpdateReport`), `adversary/steps` in total, and `adversary/stopped`, which is 1 once
    the adversary has stopped. Put it before a `RealEvalCallback` in the list, which writes them.

    Wrappers between the agent and the model must not change observations, actions or rewards. A custom one
    declares that it does not by a class attribute `transparent = True`, which subclasses do not inherit.

    RAMBO's release takes half of every batch from the dataset: `MixedReplayBuffer` with `real_ratio=0.5`.

    Args:
        settings: How the model is changed; None means `AdversarySettings()` with the agent's γ.
        every: Gradient steps of the agent between updates; 1000 in the release. PPO counts its epochs.
        fit_settings: How the model was fitted, so that its holdout stays out of training; None means
            MOPO's release.
        state: File that `save` wrote, to resume exactly from there; None starts a new adversary.
        verbose: 1 prints a line for each update.

    Attributes:
        adversary: The adversary, once training has started.
        history: An `UpdateReport` for each update, oldest first.

    Raises:
        SettingsError: `every` below 1, or so small that an update would have no step.
    """

    @check_arguments
    def __init__(
        self,
        settings: AdversarySettings | None = None,
        *,
        every: int = 1000,
        fit_settings: FitSettings | None = None,
        state: Path | str | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        ratio = (settings or AdversarySettings()).steps_per_update
        if every < 1 or round(every * ratio) < 1:
            raise SettingsError(
                f"every must be at least 1 and every · steps_per_update give a whole step, got {every} and "
                f"{ratio}."
            )
        self.every = every
        self.steps_at_once = round(every * ratio)
        self.adversary: Adversary | None = None
        self.history: list[UpdateReport] = []
        self._settings, self._fit_settings, self._state = settings, fit_settings, state

    def _on_training_start(self) -> None:
        self._view = agent_view(self.model)
        env = adversarial_env_of(self.training_env)
        if self.adversary is None or self.adversary.ensemble is not env.ensemble:
            self.adversary = self._new_adversary(env)
        unattached = self.adversary.schedule_offset is None
        if unattached or self._due(self.adversary) < 0:  # below 0: an agent that has learned less
            self._settle(self.adversary)

    def _on_rollout_start(self) -> None:
        self._catch_up()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._catch_up()

    def save(self, path: Path | str) -> None:
        """Write the adversary and its model to a file, see `Adversary.save`; for `state`.

        Raises:
            SettingsError: Training has not started.
        """
        if self.adversary is None:
            raise SettingsError("There is nothing to save before learn(...) has started.")
        self.adversary.save(path)

    def _new_adversary(self, env: LearnedEnv | LearnedVectorEnv) -> Adversary:
        adversary = Adversary(
            env.mdp,
            env.transitions,
            settings=settings_for(self.model, self._settings),
            fit_settings=self._fit_settings,
        )
        if self._state is not None:
            adversary.load(self._state)
        return adversary

    def _asked_for(self) -> int:
        """Adversary steps that correspond to all the agent's gradient steps so far."""
        return gradient_steps(self.model) // self.every * self.steps_at_once

    def _due(self, adversary: Adversary) -> int:
        assert adversary.schedule_offset is not None
        return self._asked_for() - adversary.n_steps - adversary.schedule_offset

    def _settle(self, adversary: Adversary) -> None:
        """Leave no steps due until the agent has learned more."""
        adversary.schedule_offset = self._asked_for() - adversary.n_steps

    def _catch_up(self) -> None:
        assert self.adversary is not None
        due = self._due(self.adversary)
        if due > 0:
            report = self.adversary.update(self._view, due)
            self._settle(self.adversary)  # a stopped adversary would owe more and more steps
            self.history.append(report)
            self._log(report)

    def _log(self, report: UpdateReport) -> None:
        assert self.adversary is not None
        self.logger.record("adversary/steps", self.adversary.n_steps)
        self.logger.record("adversary/stopped", int(bool(self.adversary.stopped)))
        self.logger.record("adversary/holdout_ratio", report.holdout_ratio)
        if report.n_steps > 0:
            for name in ("adversarial_loss", "log_prob", "advantage", "advantage_std", "supervised_loss"):
                self.logger.record(f"adversary/{name}", getattr(report, name))
        if self.verbose > 0:
            print(
                f"{gradient_steps(self.model)} gradient steps: {report.n_steps} of the adversary, "
                f"log-probability {report.log_prob:.3f}, "
                f"holdout error {report.holdout_ratio:.3f} times the first"
            )


def settings_for(agent: BaseAlgorithm, settings: AdversarySettings | None) -> AdversarySettings:
    """Return the settings, or the defaults with the agent's γ.

    Raises:
        SettingsError: Settings with another γ than the agent's, whose values would not match.
    """
    gamma: float = agent.gamma  # type: ignore[attr-defined]
    if settings is None:
        return replace(AdversarySettings(), gamma=gamma)
    if settings.gamma != gamma:
        raise SettingsError(f"gamma must be the agent's, {gamma}, got {settings.gamma}.")
    return settings

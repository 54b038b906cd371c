"""`diagnose`: everything that is known of a model before a policy is trusted to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.diagnose.calibration import Calibration
from offline_envs.diagnose.foresight import Foresight, Replay
from offline_envs.diagnose.halting import Halting
from offline_envs.diagnose.held_out import HeldOut
from offline_envs.diagnose.measured import Doubt, Verdict, doubt, judge
from offline_envs.diagnose.outlook import Outlook, look_ahead
from offline_envs.diagnose.penalty_scale import SourceScale, course
from offline_envs.diagnose.reach import Reach
from offline_envs.diagnose.rollouts import (
    Rollouts,
    imagine,
    real_episodes,
)
from offline_envs.diagnose.scale import DataScale
from offline_envs.diagnose.settings import DiagnoseSettings
from offline_envs.diagnose.sources import DATASET, POLICY, REAL, UNIFORM
from offline_envs.dynamics.fitting.rows import generator_for
from offline_envs.envs import Assembly
from offline_envs.evaluation.scoring import EvaluationResult
from offline_envs.policies import Policy, Predictor, UniformPolicy, as_policy


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        transitions: The dataset.
        settings: How much was looked at.
        held_out: The rows that calibration was measured on.
        calibration: Uncertainty against error, on held-out steps and, with a policy, on its real steps.
        foresight: Growth of the error with the horizon, along the dataset's actions and the policy's.
        replay: How well the simulator repeats the dataset, or None without one.
        scales: Penalties beside rewards, of the dataset and of imagined episodes up to `train_horizon`.
        courses: (set of steps, measure) → mean u after 1, 2, … steps, `(h,)`.
        halting: Disagreement beside thresholds, likewise up to `train_horizon`.
        reach: How far states lie from the data.
        real: Returns of the policy's real episodes, or None.
        notes: What could not be done, and why; in whole sentences.
    """

    transitions: Transitions
    settings: DiagnoseSettings
    held_out: HeldOut
    calibration: list[Calibration]
    foresight: list[Foresight]
    replay: Replay | None
    scales: Mapping[str, SourceScale]
    courses: Mapping[tuple[str, str], Tensor]
    halting: Halting
    reach: Reach
    real: EvaluationResult | None
    notes: list[str]

    @property
    def source(self) -> str:
        """The imagined steps that advice rests on: the policy's, else those of uniform actions."""
        return POLICY if POLICY in self.scales else UNIFORM


class Examination:
    """The course of one diagnosis: what every part of it needs, computed once.

    Args:
        parts: Data and model.
        policy: A policy, or None.
        card: The model's card, or None.
        settings: How much to look at.
        say: Called with the name of each part as it begins.
    """

    def __init__(
        self,
        parts: Assembly,
        policy: Predictor | None,
        card: Mapping[str, Any] | None,
        settings: DiagnoseSettings,
        say: Callable[[str], None],
    ) -> None:
        self.parts, self.policy, self.settings, self.say = parts, policy, settings, say
        self.scale = DataScale.of(parts.transitions)
        self.held_out = HeldOut.of(parts.transitions, card, seed=settings.seed)
        self.notes = [] if self.held_out.reason is None else [_optimistic(self.held_out.reason)]

    def run(self) -> Diagnosis:
        """Do every part in turn."""
        steps, real = self._steps()
        self.say("Measuring uncertainty and disagreement")
        doubts = {source: self._doubt(rollouts.obs, rollouts.actions) for source, rollouts in steps.items()}
        outlook = look_ahead(
            self.parts, self.policy, self.scale, self.settings, generator=self._generator(4), say=self.say
        )
        self.notes += outlook.notes
        calibration = self._calibration(steps, doubts, outlook)
        self.say("Comparing states with the data")
        horizon = self.settings.train_horizon
        imagined = {source: s for source, s in steps.items() if source in (POLICY, UNIFORM)}
        scales = {
            source: SourceScale.of(
                source, steps[source], doubts[source], horizon=horizon if source in imagined else None
            )
            for source in (DATASET, *imagined)
        }
        return Diagnosis(
            self.parts.transitions,
            self.settings,
            self.held_out,
            calibration,
            outlook.foresight,
            outlook.replay,
            scales,
            {
                (source, name): course(values, rollouts)
                for source, rollouts in imagined.items()
                for name, values in doubts[source].uncertainty.items()
            },
            Halting.of(
                {
                    DATASET: doubts[DATASET].disagreement,
                    **{s: doubts[s].disagreement[r.time <= horizon] for s, r in imagined.items()},
                }
            ),
            self._reach({source: s for source, s in steps.items() if source != DATASET}),
            real,
            self.notes,
        )

    def _generator(self, purpose: int) -> torch.Generator:
        seed = generator_for(self.settings.seed, purpose).initial_seed()
        return torch.Generator(device=self.parts.model.elites.device).manual_seed(seed)

    def _doubt(self, obs: Tensor, actions: Tensor) -> Doubt:
        return doubt(
            self.parts.model,
            obs,
            actions,
            members=self.settings.penalty_members,
            scale=self.scale.obs_std,
        )

    def _steps(self) -> tuple[dict[str, Rollouts], EvaluationResult | None]:
        """Sets of steps by name, and the returns of the real ones."""
        settings, transitions = self.settings, self.parts.transitions
        rows = torch.randperm(len(transitions), generator=generator_for(settings.seed, 1))[: settings.rows]
        steps = {DATASET: dataset_steps(transitions, rows)}
        generator = self._generator(2)
        actors: dict[str, Policy] = {UNIFORM: UniformPolicy(transitions.action_space, generator)}
        if self.policy is not None:
            actors = {POLICY: as_policy(self.policy), **actors}
        for source, act in actors.items():
            self.say(f"Imagining {settings.rollouts} episodes: {source}")
            steps[source] = imagine(
                self.parts.mdp,
                self.parts.starts,
                act,
                n=settings.rollouts,
                horizon=settings.horizon,
                generator=generator,
            )
        real = self._real_episodes(steps)
        return steps, real

    def _real_episodes(self, steps: dict[str, Rollouts]) -> EvaluationResult | None:
        if self.policy is None:
            self.notes.append("No policy was given, so imagined episodes follow uniform actions alone.")
            return None
        if self.parts.transitions.env_spec is None:
            self.notes.append("The dataset names no environment, so the policy was not run for real.")
            return None
        self.say(f"Running {self.settings.episodes} real episodes")
        env = self.parts.transitions.make_env()
        try:
            result, steps[REAL] = real_episodes(
                env, self.policy, n_episodes=self.settings.episodes, seed=self.settings.seed
            )
        finally:
            env.close()
        return result

    def _calibration(
        self, steps: Mapping[str, Rollouts], doubts: Mapping[str, Doubt], outlook: Outlook
    ) -> list[Calibration]:
        rows = self.held_out.rows[: self.settings.rows]
        held_out = dataset_steps(self.parts.transitions, rows)
        unsure = self._doubt(held_out.obs, held_out.actions)
        results = [Calibration.of(self.held_out.name, unsure, self._verdict(held_out))]
        if REAL in steps:
            own = outlook.replay is None or outlook.replay.same_reward
            verdict = self._verdict(steps[REAL])
            results.append(Calibration.of(REAL, doubts[REAL], verdict, with_reward=own))
        return results

    def _verdict(self, steps: Rollouts) -> Verdict:
        return judge(self.parts.model, steps.obs, steps.actions, steps.rewards, steps.next_obs)

    def _reach(self, steps: Mapping[str, Rollouts]) -> Reach:
        return Reach.of(
            self.scale.standardised(self.parts.transitions.obs),
            self.held_out,
            steps,
            {source: self.scale.standardised(s.next_obs) for source, s in steps.items()},
            n_data=self.settings.rows,
        )


def dataset_steps(transitions: Transitions, rows: Tensor) -> Rollouts:
    """Rows of a dataset as steps of their own."""
    ones = torch.ones(len(rows), dtype=torch.int64)
    return Rollouts(
        transitions.obs[rows],
        transitions.actions[rows],
        transitions.rewards[rows],
        transitions.next_obs[rows],
        ones,
        torch.arange(len(rows)),
        transitions.terminated[rows],
        torch.zeros(len(rows), dtype=torch.bool),
    )


def diagnose(
    parts: Assembly,
    *,
    policy: Predictor | None = None,
    card: Mapping[str, Any] | None = None,
    settings: DiagnoseSettings | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Diagnosis:
    """Hold a model against its data, the simulator and a policy.

    Args:
        parts: Data and model, as `offline_envs.envs.assembly.assemble` joins them, without a penalty.
        policy: A policy for the environment; without one, uniform actions stand in.
        card: The model's card (`read_model_card`), which tells the rows that its fit held out.
        settings: How much to look at.
        say: Called with the name of each part as it begins.
    """
    return Examination(parts, policy, card, settings or DiagnoseSettings(), say).run()


def _optimistic(reason: str) -> str:
    return f"Which rows were held out is unknown ({reason}): the calibration is optimistic."

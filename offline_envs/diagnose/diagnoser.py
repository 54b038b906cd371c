"""`diagnose`: answer every question about a model before a policy is trained or trusted in it."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import torch

from offline_envs.data import Transitions, check_continuous
from offline_envs.diagnose.diagnosis import SECTIONS, Diagnosis
from offline_envs.diagnose.evidence import (
    DATASET,
    POLICY,
    REAL,
    UNIFORM,
    Evidence,
    Say,
    device_generator,
)
from offline_envs.diagnose.ground_truth import GroundTruth
from offline_envs.diagnose.rollouts import (
    Rollouts,
    dataset_steps,
    imagine,
    real_episodes,
)
from offline_envs.diagnose.settings import DiagnoseSettings
from offline_envs.dynamics import DISAGREEMENTS, Holdout, generator_for
from offline_envs.envs import Assembly
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.evaluation import (
    DataScale,
    EvaluationResult,
    Uncertainty,
    measure_uncertainty,
)
from offline_envs.policies import Policy, Predictor, UniformPolicy, as_policy, on_columns


def check_data(transitions: Transitions) -> None:
    """Refuse data that cannot be diagnosed, which is known before a model is fitted.

    Raises:
        SettingsError: Discrete actions, or fewer than two steps.
    """
    check_continuous(transitions.discrete_actions, "A diagnosis")
    if len(transitions) < 2:
        raise SettingsError(f"A diagnosis needs at least two steps of data, got {len(transitions)}.")


class Diagnoser:
    """One diagnosis: gathers what every section needs, then measures the sections in turn.

    Args:
        assembly: Data and model.
        policy: A policy, or None.
        card: The model's card, or None.
        settings: Size of the diagnosis.
        say: Called with the name of each part when it begins.

    Raises:
        SettingsError: Discrete actions, replayed columns, or fewer than two steps of data.
    """

    def __init__(
        self,
        assembly: Assembly,
        policy: Predictor | None,
        card: Mapping[str, Any] | None,
        settings: DiagnoseSettings,
        say: Say,
    ) -> None:
        check_data(assembly.transitions)
        if assembly.mdp.replay is not None:
            raise SettingsError(
                "A diagnosis follows the model along other episodes than the recorded ones, where nothing is "
                "known of replayed columns. Leave out known={...: 'replayed'}."
            )
        # Dict observations are diagnosed as the columns that the model sees.
        self.assembly = assembly._replace(transitions=assembly.transitions.flattened)
        self.policy = None if policy is None else on_columns(policy)
        self.settings = settings
        self.say = say
        self.scale = DataScale.of(assembly.transitions)
        self.holdout = Holdout.of(assembly.transitions, card, seed=settings.seed)

    def run(self) -> Diagnosis:
        """Gather the evidence and measure every section."""
        evidence = self.gather()
        self.say("Comparing predictions and states with the data")
        return Diagnosis(evidence, tuple(kind.measure(evidence) for kind in SECTIONS))

    def gather(self) -> Evidence:
        """Compute the shared evidence."""
        steps = {**self._recorded(), **self._imagined()}
        result, real, why_not = self._real()
        if real is not None:
            steps[REAL] = real
        self.say("Measuring uncertainty and disagreement")
        uncertainty = {source: self._uncertainty(rollouts) for source, rollouts in steps.items()}
        truth = GroundTruth.of(
            self.assembly.transitions, self.policy, self.scale, self.settings, say=self.say
        )
        return Evidence(
            assembly=self.assembly,
            settings=self.settings,
            scale=self.scale,
            holdout=self.holdout,
            truth=truth,
            steps=steps,
            uncertainty=uncertainty,
            real=result,
            notes=(*self._notes(), *why_not, *truth.notes),
        )

    def _recorded(self) -> dict[str, Rollouts]:
        transitions, settings = self.assembly.transitions, self.settings
        rows = torch.randperm(len(transitions), generator=generator_for(settings.seed, 1))[: settings.rows]
        return {
            DATASET: dataset_steps(transitions, rows),
            self.holdout.name: dataset_steps(transitions, self.holdout.rows[: settings.rows]),
        }

    def _imagined(self) -> dict[str, Rollouts]:
        settings = self.settings
        generator = device_generator(self.assembly, settings, 2)
        actors: dict[str, Policy] = {
            UNIFORM: UniformPolicy(self.assembly.transitions.action_space, generator)
        }
        if self.policy is not None:
            actors = {POLICY: as_policy(self.policy, self.assembly.transitions.agent_spaces), **actors}
        steps = {}
        for source, act in actors.items():
            self.say(f"Imagining {settings.rollouts} episodes: {source}")
            steps[source] = imagine(
                self.assembly.mdp,
                self.assembly.starts,
                act,
                n=settings.rollouts,
                horizon=settings.horizon,
                generator=generator,
            )
        return steps

    def _real(self) -> tuple[EvaluationResult | None, Rollouts | None, tuple[str, ...]]:
        """Run the policy in the real environment, or note why there is none."""
        settings = self.settings
        if self.policy is None:
            return None, None, ()
        try:
            env = self.assembly.transitions.make_env()
        except DatasetError as error:
            return None, None, (f"The policy was not run in a real environment. {error}",)
        self.say(f"Running {settings.episodes} real episodes")
        with closing(env):
            result, real = real_episodes(env, self.policy, n_episodes=settings.episodes, seed=settings.seed)
        return result, real, ()

    def _uncertainty(self, steps: Rollouts) -> Uncertainty:
        name = self.settings.disagreement
        return measure_uncertainty(
            self.assembly.model,
            steps.obs,
            steps.actions,
            members=self.settings.penalty_members,
            scale=self.scale.outputs_std[DISAGREEMENTS[name].outputs],
            disagreement=name,
        )

    def _notes(self) -> list[str]:
        notes = []
        if self.holdout.reason is not None:
            notes.append(
                f"Which rows were held out is unknown ({self.holdout.reason}): the calibration is optimistic."
            )
        if self.policy is None:
            notes.append("No policy was given, so all imagined episodes follow uniform actions.")
        return notes


def diagnose(
    assembly: Assembly,
    *,
    policy: Predictor | None = None,
    card: Mapping[str, Any] | None = None,
    settings: DiagnoseSettings | None = None,
    say: Say = lambda text: None,
) -> Diagnosis:
    """Compare a model with its data, the simulator and the real steps of a policy.

    Args:
        assembly: Data and model, as `offline_envs.envs.assemble` returns them, without a penalty.
        policy: A policy for the environment; without one, uniform actions take its place.
        card: The model's card (`read_model_card`), from which the rows that its fit held out are inferred.
        settings: Size of the diagnosis.
        say: Called with the name of each part when it begins.
    """
    return Diagnoser(assembly, policy, card, settings or DiagnoseSettings(), say).run()

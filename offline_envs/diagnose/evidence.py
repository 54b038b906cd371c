"""`Evidence`: measurements that all sections of a diagnosis share, computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from offline_envs.data import Transitions
from offline_envs.diagnose.ground_truth import GroundTruth
from offline_envs.diagnose.rollouts import Rollouts
from offline_envs.diagnose.settings import DiagnoseSettings
from offline_envs.dynamics import Holdout, generator_for
from offline_envs.envs import Assembly
from offline_envs.evaluation import DataScale, EvaluationResult, Uncertainty

DATASET = "dataset steps"
POLICY = "imagined policy steps"
UNIFORM = "imagined random steps"
REAL = "real policy steps"

Say = Callable[[str], None]
"""Receives the name of each part of the work when it begins."""


@dataclass(frozen=True)
class Evidence:
    """Measurements that all sections of a diagnosis share.

    Attributes:
        assembly: Data and model.
        settings: Size of the diagnosis.
        scale: Deviations of the data, the unit of errors and distances.
        holdout: Split of the dataset into rows that judge the model and others.
        truth: Recorded and simulated steps from states of the data.
        steps: Sets of steps by name: `DATASET`, `holdout.name`, `POLICY` with a policy, `UNIFORM`, and
            `REAL` with a policy and a known environment.
        uncertainty: Uncertainty of the model on each of these sets.
        real: Returns of the policy's real episodes, or None.
        notes: Work that could not be done, and the reasons, in full sentences.
    """

    assembly: Assembly
    settings: DiagnoseSettings
    scale: DataScale
    holdout: Holdout
    truth: GroundTruth
    steps: Mapping[str, Rollouts]
    uncertainty: Mapping[str, Uncertainty]
    real: EvaluationResult | None
    notes: tuple[str, ...]

    @property
    def transitions(self) -> Transitions:
        """The dataset."""
        return self.assembly.transitions

    @property
    def imagined(self) -> dict[str, Rollouts]:
        """The sets of imagined steps, those of the policy first."""
        return {source: self.steps[source] for source in (POLICY, UNIFORM) if source in self.steps}

    @property
    def source(self) -> str:
        """The imagined steps on which advice is based: the policy's or, without one, uniform ones."""
        return POLICY if POLICY in self.steps else UNIFORM


def device_generator(assembly: Assembly, settings: DiagnoseSettings, purpose: int) -> torch.Generator:
    """Make a generator on the model's device; equal seeds and purposes give equal numbers."""
    seed = generator_for(settings.seed, purpose).initial_seed()
    return torch.Generator(device=assembly.model.elites.device).manual_seed(seed)

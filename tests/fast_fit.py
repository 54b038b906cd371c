"""Run the code of the documentation unchanged, on models that are fitted in a second."""

from typing import Any

import pytest
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from offline_envs.dynamics import EnsembleSettings, FitSettings, fitted_ensemble
from offline_envs.envs import assembly

LEAST_STEPS = 150
"""More than the 100 that SB3's agents collect before they learn."""


def make_everything_small(patch: pytest.MonkeyPatch) -> None:
    """Fit tiny ensembles for one epoch whatever is asked for, and train agents for a few steps only."""
    learn = OffPolicyAlgorithm.learn

    def tiny_fit(transitions: Any, settings: Any = None, **options: Any) -> Any:
        options["fit_settings"] = FitSettings(max_epochs=1)
        return fitted_ensemble(transitions, EnsembleSettings(hidden=(16, 16)), **options)

    def short_learn(agent: Any, total_timesteps: int, *arguments: Any, **options: Any) -> Any:
        return learn(agent, min(total_timesteps, max(LEAST_STEPS, 10 * agent.n_envs)), *arguments, **options)

    patch.setattr(assembly, "fitted_ensemble", tiny_fit)
    patch.setattr(OffPolicyAlgorithm, "learn", short_learn)

"""Fit a dynamics ensemble to a dataset and save it, for `model=` of the environments.

The ensemble is that of MOPO (Yu et al. 2020, appendix D): seven probabilistic networks, of which the five
with the lowest error on held-out transitions are the elites.

    python examples/train_dynamics.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offline_envs import load_transitions
from offline_envs.dynamics import EnsembleSettings, FitSettings, fit, save_model


@dataclass(frozen=True)
class Settings:
    """The ensemble to fit, and its folder."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    output: Path = Path("runs/inverteddoublependulum-model")
    ensemble: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=lambda: {"max_epochs": 20})
    device: str = "cpu"


def main(settings: Settings) -> None:
    """Fit, save, and print the error of each member on transitions that it has not seen."""
    transitions = load_transitions(settings.dataset)
    print(transitions)
    fit_settings = FitSettings.from_json(settings.fit)
    ensemble, report = fit(
        transitions,
        EnsembleSettings.from_json(settings.ensemble),
        fit_settings=fit_settings,
        device=settings.device,
    )
    save_model(settings.output, ensemble, transitions=transitions, fit_settings=fit_settings, report=report)
    for member, error in enumerate(report.holdout_mse):
        print(f"member {member}: holdout error {error:.4f}{' (elite)' if member in report.elites else ''}")
    print(f"gym.make('PenalizedModel-v0', dataset={settings.dataset!r}, model={str(settings.output)!r})")


if __name__ == "__main__":
    main(Settings())

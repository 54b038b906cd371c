"""RAMBO: an agent in a model that an adversary changes against it (Rigter et al. 2022)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.adversary import Adversary, AdversarySettings, check_fit
from offline_envs.agents import AGENTS
from offline_envs.data import Transitions, check_continuous
from offline_envs.dynamics import ENSEMBLE, FitSettings, read_model_card, save_model
from offline_envs.envs import ModelOptions
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms.base import AlgorithmState
from offline_envs.runs.algorithms.model_based import IN_MODEL, ModelBased
from offline_envs.runs.algorithms.on_policy import TRPO_FROM_CLONE
from offline_envs.runs.run import ModelRun
from offline_envs.runs.run_settings import RunSettings
from offline_envs.sb3 import AdversarialCallback

STATE_FILE = "adversary.safetensors"

MOVED_MODEL = "moved_model"
"""Subfolder of a run with the ensemble as the adversary left it; `model` stays as fitted."""


class AdversarialTraining(ModelBased):
    """RAMBO, with the additional settings `adversary` and `adversary_every`."""

    def check(self, settings: RunSettings) -> None:
        """See `Algorithm`."""
        super().check(settings)
        agent = AGENTS.find(settings.agent)
        if not agent.continuous:
            raise SettingsError(
                f"{settings.algorithm} needs an agent of continuous actions, not {settings.agent}."
            )
        if settings.history > 1:
            raise SettingsError(
                f"{settings.algorithm} changes the ensemble itself, which a history of {settings.history} "
                "keeps behind known columns. Leave history out."
            )
        given = [name for name in ("reward", "known") if settings.env_settings.get(name) not in (None, {})]
        if given:
            raise SettingsError(
                f"{settings.algorithm} changes the ensemble itself, whose outputs reward and known replace, "
                f"got {' and '.join(given)} in env_settings. Leave both out."
            )
        _check_sampler(settings)
        check_fit(settings.nested("fit", FitSettings))
        if "gamma" in settings.adversary:
            raise SettingsError("adversary cannot hold 'gamma': it is the agent's, see agent_options.")
        ratio = settings.nested("adversary", AdversarySettings).steps_per_update
        if round(settings.adversary_every * ratio) < 1:
            raise SettingsError(
                "adversary_every times the adversary's steps_per_update must give a whole step, got "
                f"{settings.adversary_every} and {ratio}."
            )

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """See `Algorithm`."""
        check_continuous(transitions.discrete_actions, settings.algorithm)
        super().check_data(settings, transitions)
        if settings.model is not None and (fit := _fit_settings(Path(settings.model))) is not None:
            check_fit(fit)

    def state(self, run: ModelRun) -> AlgorithmState:
        """See `Algorithm`."""
        return AdversaryOfRun(run)


def _fit_settings(model: Path) -> FitSettings | None:
    """Settings of the fit of a saved ensemble, if they are known; None for another model, refused later."""
    card = read_model_card(model)
    settings = card["fit_settings"] if card.get("kind", ENSEMBLE) == ENSEMBLE else None
    return None if settings is None else FitSettings.from_json(settings)


def _check_sampler(settings: RunSettings) -> None:
    plain = {"member": ModelOptions.member, "spread": ModelOptions.spread}
    given = {name: settings.env_settings.get(name, value) for name, value in plain.items()}
    if given != plain:
        raise SettingsError(
            f"{settings.algorithm}'s adversary draws an elite and from its whole Gaussian at every step, so "
            "env_settings must leave out what changes that of the agent's steps, got "
            f"{', '.join(f'{name}={value!r}' for name, value in given.items() if value != plain[name])}."
        )


class AdversaryOfRun(AlgorithmState):
    """The adversary of a run: made from the run's settings, saved with its checkpoints.

    Args:
        run: The run; its model is in its folder.
    """

    def __init__(self, run: ModelRun) -> None:
        self._run = run
        own = {"seed": run.settings.seed, "horizon": run.settings.horizon}
        agent: Any = run.agent
        settings = AdversarySettings.from_json({**own, **run.settings.adversary, "gamma": agent.gamma})
        fit_settings = _fit_settings(run.folder.model)
        self._adversary = Adversary(
            run.learned.mdp, run.learned.transitions, settings=settings, fit_settings=fit_settings
        )
        self._callback = AdversarialCallback(
            settings, every=run.settings.adversary_every, fit_settings=fit_settings
        )
        self._callback.adversary = self._adversary

    def callbacks(self) -> Sequence[BaseCallback]:
        """See `AlgorithmState`."""
        return (self._callback,)

    def save(self, folder: Path) -> None:
        """See `AlgorithmState`."""
        self._adversary.save(folder / STATE_FILE)

    def load(self, folder: Path) -> None:
        """See `AlgorithmState`."""
        self._adversary.load(folder / STATE_FILE)

    def write_artefacts(self) -> None:
        """Write the moved model."""
        save_model(
            self._run.folder.path / MOVED_MODEL,
            self._run.learned.ensemble,
            transitions=self._run.learned.transitions,
        )


RAMBO = AdversarialTraining(
    "AdversarialModel-v0",
    uses=(*IN_MODEL, "adversary", "adversary_every"),
    defaults={"real_ratio": 0.5, "clone_epochs": 50, "clone_loss": "likelihood"},
    agent_defaults={
        **{name: {"clone_loss": "mean"} for name in ("td3", "ddpg")},  # which are deterministic
        "trpo": {
            **TRPO_FROM_CLONE,
            "clone_loss": "mean",
            "adversary_every": 1,
            "adversary": {"steps_per_update": 50.0},
        },
    },
)
"""RAMBO, with the mixture and the clone of its release; with TRPO, which it does not have, as MOPO's here.

A step of TRPO takes 25 000 transitions, and the adversary 50 steps for each.
"""

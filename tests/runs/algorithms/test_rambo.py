import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC

from offline_envs.adversary import Adversary
from offline_envs.data import load_transitions
from offline_envs.dynamics import (
    EnsembleDynamics,
    EnsembleSettings,
    FitSettings,
    GaussianProcessSettings,
    fit_gaussian_process,
    load_ensemble,
    save_model,
)
from offline_envs.errors import SettingsError
from offline_envs.runs import RunFolder, TrainSettings, check_possible, train
from offline_envs.runs.algorithms.rambo import MOVED_MODEL
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import evaluate_in
from tests.runs.resuming.test_resume import signalled
from tests.runs.test_training import interrupted
from tests.runs.tiny import DEMO, ENSEMBLE, FIT, tiny_settings


def rambo_settings(**changes: Any) -> TrainSettings:
    return tiny_settings(
        **{
            "algorithm": "rambo",
            "adversary": {"batch_size": 8, "check_every": 1, "tolerance": 1e6},
            "adversary_every": 2,
            "ensemble": ENSEMBLE,
            "fit": FIT,
            **changes,
        }
    )


def counted_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of steps that adversaries have taken after each of their updates, from now on."""
    counts: list[int] = []
    update = Adversary.update

    def noted(self: Adversary, *arguments: Any) -> Any:
        report = update(self, *arguments)
        counts.append(self.n_steps)
        return report

    monkeypatch.setattr(Adversary, "update", noted)
    return counts


def test_the_model_moves_and_the_fitted_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = counted_steps(monkeypatch)
    result = train(rambo_settings(), tmp_path, show_progress=False)
    assert counts == [2, 4, 6]
    assert result.gradient_steps == 6
    run = RunFolder(tmp_path)
    fitted, moved = load_ensemble(run.model), load_ensemble(run.path / MOVED_MODEL)
    assert torch.equal(fitted.normalizer.mean, moved.normalizer.mean)
    for name, value in fitted.trunk.named_parameters():
        assert not torch.equal(value, moved.trunk.get_parameter(name)), name


def test_the_adversary_looks_as_far_ahead_as_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Adversary] = []
    update = Adversary.update
    monkeypatch.setattr(Adversary, "update", lambda self, *a: seen.append(self) or update(self, *a))  # type: ignore[func-returns-value]
    train(rambo_settings(horizon=1), tmp_path, show_progress=False)
    assert {adversary.settings.horizon for adversary in seen} == {1}


def test_an_adversary_that_was_stopped_resumes_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with signalled(signal.SIGINT, at_step=3), pytest.raises(KeyboardInterrupt):  # in the second cycle
        train(rambo_settings(), tmp_path, show_progress=False)
    counts = counted_steps(monkeypatch)
    train(rambo_settings(), tmp_path, resume=True, show_progress=False)
    assert counts == [6]


@pytest.mark.parametrize(("agent", "loss"), [("sac", "likelihood"), ("tqc", "likelihood"), ("td3", "mean")])
def test_the_clone_has_a_likelihood_where_the_policy_has_one(agent: str, loss: str) -> None:
    settings = TrainSettings.for_algorithm({"dataset": "a-v0", "algorithm": "rambo", "agent": agent})
    assert settings.clone_loss == loss


def test_a_policy_of_standardised_observations_is_scored_from_its_file(tmp_path: Path) -> None:
    """Interrupted and resumed: without the dataset's numbers in the file, policy and score would not fit."""
    with interrupted(Adversary, "_step", at_call=3):
        train(rambo_settings(standardize_obs=True), tmp_path, show_progress=False)
    result = train(rambo_settings(standardize_obs=True), tmp_path, resume=True, show_progress=False)
    data = load_transitions(DEMO)
    policy = SAC.load(RunFolder(tmp_path).policies / "last_policy.zip", device="cpu")
    extractor: Any = policy.actor.features_extractor
    torch.testing.assert_close(extractor.mean, data.obs.mean(dim=0))
    torch.testing.assert_close(extractor.std, data.obs.std(dim=0, correction=0))
    found = evaluate_in(data.make_env, policy, n_episodes=2, seed=FINAL_SEED)
    assert result.real_return == pytest.approx(found.mean)


def test_the_model_moves_against_trpo_after_each_of_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = counted_steps(monkeypatch)
    settings = rambo_settings(
        agent="trpo",
        gradient_steps=3,
        eval_every=1,
        transitions_per_gradient_step=8.0,
        clone_epochs=1,
        adversary_every=1,
        adversary={"batch_size": 8, "steps_per_update": 2.0},
        agent_options={"batch_size": 8},
    )
    result = train(settings, tmp_path, show_progress=False)
    assert counts == [2, 4, 6]
    assert result.gradient_steps == 3


def test_trpo_has_defaults_of_its_own() -> None:
    """Without them its 500 steps would meet no adversary."""
    settings = TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "rambo", "agent": "trpo"})
    assert (settings.adversary_every, settings.adversary) == (1, {"steps_per_update": 50.0})
    assert (settings.horizon, settings.clone_loss) == (500, "mean")


@pytest.mark.parametrize("at_call", [4, 6])
def test_an_update_that_was_interrupted_is_repeated(
    at_call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second update, and at the last step of all."""
    with interrupted(Adversary, "_step", at_call=at_call):
        train(rambo_settings(), tmp_path, show_progress=False)
    counts = counted_steps(monkeypatch)
    train(rambo_settings(), tmp_path, resume=True, show_progress=False)
    assert counts == [2, 4, 6]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"adversary": {"weight": 1.0}}, "Unknown setting of AdversarySettings 'weight'"),
        ({"adversary": {"gamma": 0.5}}, "adversary cannot hold 'gamma'"),
        ({"adversary": {"steps_per_update": 0.1}}, "must give a whole step, got 2 and 0.1"),
        ({"adversary_every": 0}, "adversary_every must be at least 1, got 0"),
        ({"env_settings": {"known": {"replay": [0]}}}, "got known in env_settings. Leave both out"),
        ({"env_settings": {"reward": "a.module:function"}}, "got reward in env_settings"),
        ({"env_settings": {"spread": 0.1}}, r"leave out what .* got spread=0\.1\."),
        ({"env_settings": {"member": "episode", "spread": 1}}, r"leave out .* got member='episode'\."),
        ({"fit": {"value_weight": 1e-4}}, "rollout_steps=1 and value_weight=0, got 1 and 0.0001"),
        ({"agent": "dqn"}, "rambo needs an agent of continuous actions, not dqn"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_a_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        rambo_settings(**changes)


def test_a_model_of_another_loss_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    """It would otherwise be refused after the policy was cloned."""
    data = load_transitions(DEMO)
    several = FitSettings.from_json({**FIT, "rollout_steps": 2})
    ensemble = EnsembleDynamics(data.obs_dim, data.action_dim, settings=EnsembleSettings.from_json(ENSEMBLE))
    save_model(tmp_path / "model", ensemble, fit_settings=several)
    settings = rambo_settings(model=str(tmp_path / "model"), ensemble={}, fit={})
    with pytest.raises(SettingsError, match="rollout_steps=1 and value_weight=0, got 2 and 0"):
        check_possible(settings)


def test_another_kind_of_model_is_refused_as_one(tmp_path: Path) -> None:
    """The settings of its fit are not those of an ensemble's."""
    pytest.importorskip("gpytorch", reason="fits need the extra gp", exc_type=ImportError)
    data = load_transitions(DEMO)
    settings = GaussianProcessSettings(n_rows=20, steps=1)
    process, report = fit_gaussian_process(data, settings, progress=False)
    save_model(tmp_path / "gp", process, transitions=data, fit_settings=settings, report=report)
    run = rambo_settings(model=str(tmp_path / "gp"), ensemble={}, fit={})
    with pytest.raises(SettingsError, match="got GaussianProcessDynamics"):
        train(run, tmp_path / "run", show_progress=False)

"""Whole runs that choose their policy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import SAC

from offline_envs.data import load_transitions
from offline_envs.errors import SettingsError
from offline_envs.runs import CHOICES, RunFolder, TrainResult, TrainSettings, train
from offline_envs.runs.evaluations import callback
from offline_envs.runs.run import FINAL_SEED
from offline_envs.sb3 import SB3VecEnv, evaluate_in
from tests.runs.tiny import DEMO, tiny_settings


def run(settings: TrainSettings, folder: Path, **options: Any) -> TrainResult:
    return train(settings, folder, show_progress=False, **options)


@pytest.fixture
def by_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure that is best at the second of three evaluations: −|steps − 4|."""
    figure = lambda predictor, agent: -abs(agent._n_updates - 4.0)  # noqa: E731
    monkeypatch.setattr(CHOICES, "_entries", {**CHOICES, "scripted": figure})


@pytest.mark.usefixtures("by_script")
def test_the_run_ends_with_the_chosen_policy(tiny_model: Path, tmp_path: Path) -> None:
    settings = tiny_settings(model=str(tiny_model), choose="scripted")
    result = run(settings, tmp_path)
    assert (result.chosen_by, result.chosen_step, result.gradient_steps) == ("scripted", 4, 6)
    folder = RunFolder(tmp_path)
    assert [row.choice_figure for row in folder.read_metrics()] == [-2, 0, -2]
    chosen = SAC.load(folder.chosen_policy, device="cpu")
    assert chosen._n_updates == 4
    env = load_transitions(DEMO).make_env()
    found = evaluate_in(env, chosen, n_episodes=2, seed=FINAL_SEED)
    env.close()
    assert (result.real_return, result.real_std) == pytest.approx((found.mean, found.std))
    assert result.predicted_return == folder.read_metrics()[1].predicted_return
    assert folder.result() == result
    assert folder.final_policy() == folder.chosen_policy


def test_training_is_the_same_whatever_is_chosen(tiny_model: Path, tmp_path: Path) -> None:
    """A figure may neither change the weights nor use the random numbers of the training."""
    found = {}
    for choose in ("last", *CHOICES):
        run(tiny_settings(model=str(tiny_model), choose=choose), tmp_path / choose)
        agent = SAC.load(tmp_path / choose / "policies/last_policy.zip", device="cpu")
        found[choose] = np.concatenate([p.detach().numpy().ravel() for p in agent.policy.parameters()])
        rows = RunFolder(tmp_path / choose).read_metrics()
        judged = [row.choice_figure for row in rows]
        assert (None in judged) == (choose == "last")
        if choose == "model_raw":
            assert judged == [row.predicted_return for row in rows]
    assert all(np.array_equal(found["last"], weights) for weights in found.values())
    last = RunFolder(tmp_path / "last")
    assert not last.chosen_policy.exists()
    assert last.final_policy() == last.policies / "last_policy.zip"
    assert "choice_figure" not in last.metrics_file.read_text()
    assert (last.result().chosen_by, last.result().chosen_step) == ("last", None)
    assert "choose" not in last.settings().to_json()  # as in runs of earlier versions
    assert "chosen" not in last.result_file.read_text()


@pytest.mark.usefixtures("by_script")
@pytest.mark.parametrize("at_step", [4, 6])
def test_an_interrupted_run_chooses_as_an_uninterrupted_one(
    at_step: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second cycle, before the best policy, and in the third, after it."""
    settings = tiny_settings(model=str(tiny_model), choose="scripted")
    expected = run(settings, tmp_path / "whole")
    monkeypatch.setattr(callback, "CHECKPOINT_SECONDS", 0.0)
    original, steps = SB3VecEnv.step_wait, iter(range(1, 100))

    def step(self: SB3VecEnv) -> Any:
        if next(steps) == at_step:
            raise KeyboardInterrupt
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(SB3VecEnv, "step_wait", step)
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "parts")
    RunFolder(tmp_path / "parts").chosen_policy.write_bytes(b"of an evaluation that the checkpoint lacks")
    assert run(settings, tmp_path / "parts", resume=True) == expected
    policies = [SAC.load(tmp_path / n / "policies/chosen_policy.zip").policy for n in ("whole", "parts")]
    whole, parts = (policy.state_dict() for policy in policies)
    assert all(np.array_equal(whole[name].numpy(), parts[name].numpy()) for name in whole)


def test_choices_that_cannot_be_made_are_refused(tiny_model: Path) -> None:
    with pytest.raises(SettingsError, match="Unknown choose 'best'"):
        tiny_settings(choose="best")
    with pytest.raises(SettingsError, match="bc has no model to choose a policy by"):
        tiny_settings(algorithm="bc", choose="model")
    with pytest.raises(SettingsError, match="choose: bc does not use that"):
        TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "bc", "choose": "model"})
    with pytest.raises(
        SettingsError, match=r"choose='critics' needs critics Q\(s, a\) of an actor, and trpo has none"
    ):
        TrainSettings.for_algorithm({"dataset": DEMO, "algorithm": "morel", "choose": "critics"})

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.diagnose import DiagnoseSettings, Diagnosis, advise, diagnose
from offline_envs.diagnose.chapters import chapters
from offline_envs.diagnose.foresight import Foresight
from offline_envs.diagnose.table import csv_text
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs.assembly import assemble
from tests.runs.tiny import DEMO
from tests.toy import toy_ensemble, toy_transitions

SMALL = DiagnoseSettings(rows=100, rollouts=10, starts=30, horizon=4, train_horizon=2, episodes=1)


def diagnose_toys(ensemble: EnsembleDynamics) -> Diagnosis:
    return diagnose(assemble(toy_transitions(), model=ensemble, termination="never"), settings=SMALL)


def test_the_same_seed_gives_the_same_figures(tiny_model: Path) -> None:
    parts = assemble(DEMO, model=tiny_model)
    first, second, other = (
        [csv_text(c.rows) for c in chapters(diagnose(parts, settings=settings))]
        for settings in (SMALL, SMALL, replace(SMALL, seed=1))
    )
    assert first == second
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_the_figures_of_the_toys_by_hand() -> None:
    """U is 7 everywhere; the data's mean |reward| is 2, so λ = 1 costs 3.5 of it there.

    The members' means lie √(1.5² + 36) apart; a deviation of the data is √(2/3).
    """
    found = diagnose_toys(toy_ensemble())
    scale = found.scales["dataset steps"].measures["max_std"]
    assert (scale.mean, scale.high, scale.cost) == (pytest.approx(7), pytest.approx(7), pytest.approx(3.5))
    assert found.halting.marks[10] == pytest.approx((1.5**2 + 36) ** 0.5 / (2 / 3) ** 0.5)
    assert found.calibration[0].correlation["max_std"] is None
    assert found.replay is None
    assert found.foresight[0].episodes == (9, 0)


def test_advice_names_the_weaker_of_two_horizons() -> None:
    found = diagnose_toys(toy_ensemble())
    curves = found.foresight[0].growth
    both = [Foresight("dataset actions", curves, 4, 3, 4), Foresight("policy actions", curves, 3, 1, 2)]
    horizon = advise(replace(found, foresight=both))[0]
    assert (horizon.topic, horizon.value, horizon.warning) == ("horizon", "up to 1", False)
    assert "policy actions up to step 3 in half of the episodes, up to step 1 in nine of ten" in horizon.why
    assert "dataset actions up to step 4 (the last looked at) in half" in horizon.why
    none = advise(replace(found, foresight=[Foresight("dataset actions", curves, 0, 0, 0)]))[0]
    assert none.value.startswith("none")
    assert none.warning
    noisy = advise(replace(found, foresight=[Foresight("dataset actions", curves, 3, 2, 1)]))[0]
    assert (noisy.value, noisy.warning) == ("up to 2, but noisy", True)


def test_relabelled_rewards_are_not_held_against_the_simulators(tiny_model: Path) -> None:
    class Still:
        def predict(self, observation: object, *, deterministic: bool) -> tuple[object, None]:
            return torch.zeros(*torch.as_tensor(observation).shape[:-1], 1).numpy(), None

    demo = load_transitions(DEMO)
    for transitions, compared in ((demo, True), (replace(demo, rewards=-demo.rewards), False)):
        found = diagnose(assemble(transitions, model=tiny_model), policy=Still(), settings=SMALL)
        assert found.replay is not None
        assert found.replay.same_reward == compared
        assert found.replay.obs_error < 1e-4
        assert ("model, sampled", "reward") in found.foresight[0].growth
        assert (("model, sampled", "reward") in found.foresight[1].growth) == compared
        assert (("simulator", "reward") in found.foresight[0].growth) == compared
        assert found.calibration[1].shares is not None
        assert found.calibration[1].shares[:, 0].isnan().any() != compared
        assert not found.calibration[1].shares[:, 1:].isnan().any()
        assert any("are not the simulator's" in note for note in found.notes) != compared


@pytest.mark.parametrize(
    "ensemble",
    [
        EnsembleDynamics(
            2, 1, settings=EnsembleSettings(probabilistic=False, n_members=1, n_elites=1, hidden=(4,))
        ),
        toy_ensemble(((1.0, 1.0, 0.0), (1.0, 1.0, 1e30), (1.0, 1.0, 0.0))),
    ],
    ids=["no measure", "a broken member"],
)
def test_a_model_without_measures_or_reason_is_reported_too(
    ensemble: EnsembleDynamics, tmp_path: Path
) -> None:
    found = diagnose_toys(ensemble)
    assert advise(found)
    for chapter in chapters(found):
        chapter.draw(tmp_path / f"{chapter.name}.png")
        assert csv_text(chapter.rows) or not found.scales[found.source].measures

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.diagnose import DiagnoseSettings, Diagnosis, advise, diagnose
from offline_envs.diagnose.chapters import chapters
from offline_envs.diagnose.foresight import STILL, Foresight
from offline_envs.diagnose.open_loop import ALL_GROUP, Growth
from offline_envs.diagnose.table import csv_text
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs import ModelOptions, assemble
from tests.runs.tiny import DEMO
from tests.toy import counting_ensemble, toy_ensemble, toy_transitions

SMALL = DiagnoseSettings(rows=100, rollouts=10, starts=30, horizon=4, train_horizon=2, episodes=1)


def diagnose_toys(ensemble: EnsembleDynamics) -> Diagnosis:
    return diagnose(
        assemble(toy_transitions(), options=ModelOptions(model=ensemble, termination="never")), settings=SMALL
    )


def curves_of(n: list[int]) -> dict[tuple[str, str], Growth]:
    """Curves over that many episodes at each step."""
    nothing = torch.zeros(len(n))
    return {(STILL, ALL_GROUP): Growth(nothing, nothing, nothing, torch.tensor(n))}


def test_the_same_seed_gives_the_same_figures(tiny_model: Path) -> None:
    parts = assemble(DEMO, options=ModelOptions(model=tiny_model))
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
    curves = curves_of([30, 30, 30, 20])
    both = [Foresight("dataset actions", curves, 4, 3, 4), Foresight("policy actions", curves, 3, 1, 2)]
    horizon = advise(replace(found, foresight=both))[0]
    assert (horizon.topic, horizon.value, horizon.warning) == ("horizon", "up to 1", False)
    assert "policy actions up to step 3 in half of the episodes, up to step 1 in nine of ten" in horizon.why
    assert "dataset actions up to step 4 (the last judged) in half" in horizon.why
    none = advise(replace(found, foresight=[Foresight("dataset actions", curves, 0, 0, 0)]))[0]
    assert none.value.startswith("none")
    assert none.warning
    noisy = advise(replace(found, foresight=[Foresight("dataset actions", curves, 3, 2, 1)]))[0]
    assert (noisy.value, noisy.warning) == ("up to 2, but noisy", True)


def test_a_horizon_that_nobody_could_judge_is_not_called_bad() -> None:
    """The toys have nine windows, of which twenty are needed: a warning would blame a perfect model."""
    found = diagnose_toys(counting_ensemble())
    assert found.foresight[0].judged == 0
    horizon = advise(found)[0]
    assert (horizon.value, horizon.warning) == ("cannot be told: fewer than 20 episodes", False)
    assert any("at least 20 episodes, but only 9 were followed" in note for note in found.notes)


def test_a_horizon_that_ends_for_want_of_episodes_is_told_from_one_that_ends_in_error() -> None:
    found = diagnose_toys(toy_ensemble())
    curves = curves_of([30, 20, 19, 20])
    short = Foresight("dataset actions", curves, 2, 1, 2)
    assert short.judged == 2
    horizon = advise(replace(found, foresight=[short]))[0]
    assert horizon.figures == (
        "holds in 9 of 10 episodes to step 1, in half to 2 (the last judged), "
        "with noise to 2 (the last judged)"
    )


def test_halting_is_that_of_all_members_whoever_is_penalised() -> None:
    """PessimisticModel-v0 compares all members: its threshold is not that of the elites, 3 apart."""
    parts = assemble(toy_transitions(), options=ModelOptions(model=toy_ensemble(), termination="never"))
    for members, u in (("all", 7), ("elites", 3)):
        found = diagnose(parts, settings=replace(SMALL, penalty_members=members))
        assert found.scales["dataset steps"].measures["max_std"].mean == pytest.approx(u)
        assert found.halting.marks[10] == pytest.approx((1.5**2 + 36) ** 0.5 / (2 / 3) ** 0.5)


def test_relabelled_rewards_are_not_held_against_the_simulators(tiny_model: Path) -> None:
    class Still:
        def predict(self, observation: object, *, deterministic: bool) -> tuple[object, None]:
            return torch.zeros(*torch.as_tensor(observation).shape[:-1], 1).numpy(), None

    demo = load_transitions(DEMO)
    for transitions, compared in ((demo, True), (replace(demo, rewards=-demo.rewards), False)):
        found = diagnose(
            assemble(transitions, options=ModelOptions(model=tiny_model)), policy=Still(), settings=SMALL
        )
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

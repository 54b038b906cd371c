from dataclasses import replace
from pathlib import Path

import pytest
import torch

from offline_envs.data import load_transitions
from offline_envs.diagnose import DiagnoseSettings, Diagnosis, advise, diagnose
from offline_envs.diagnose.calibration import CalibrationReport
from offline_envs.diagnose.coverage import Coverage
from offline_envs.diagnose.diagnosis import SECTIONS, chapters
from offline_envs.diagnose.evidence import DATASET, REAL
from offline_envs.diagnose.halting import Halting
from offline_envs.diagnose.horizon import HorizonReport
from offline_envs.diagnose.penalty import PenaltyReport
from offline_envs.diagnose.report import csv_text
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings
from offline_envs.envs import ModelOptions, assemble
from offline_envs.errors import SettingsError
from tests.runs.tiny import DEMO
from tests.toy import counting_ensemble, toy_ensemble, toy_transitions

ROWS = ("obs", "actions", "rewards", "next_obs", "terminated")
SMALL = DiagnoseSettings(rows=100, rollouts=10, starts=30, horizon=4, train_horizon=2, episodes=1)


class Still:
    """A policy that does nothing."""

    def predict(self, observation: object, *, deterministic: bool) -> tuple[object, None]:
        del deterministic  # Unused.
        return torch.zeros(*torch.as_tensor(observation).shape[:-1], 1).numpy(), None


def diagnose_toys(ensemble: EnsembleDynamics) -> Diagnosis:
    return diagnose(
        assemble(toy_transitions(), options=ModelOptions(model=ensemble, termination="never")), settings=SMALL
    )


def test_the_same_seed_gives_the_same_figures(tiny_model: Path) -> None:
    parts = assemble(DEMO, options=ModelOptions(model=tiny_model))
    first, second, other = (
        [csv_text(c.rows) for c in chapters(diagnose(parts, settings=settings))]
        for settings in (SMALL, SMALL, replace(SMALL, seed=1))
    )
    assert first == second
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_every_question_is_answered_once() -> None:
    found = diagnose_toys(toy_ensemble())
    assert [type(section) for section in found.sections] == list(SECTIONS)
    assert [section for kind in SECTIONS for section in [found.section(kind)]] == list(found.sections)
    topics = [advice.topic for advice in advise(found)]
    assert topics[0] == "horizon"
    assert topics[-5:] == [
        "ends of episodes",
        "halting threshold",
        "measure",
        "predictive intervals",
        "distance from the data",
    ]
    names = [chapter.name for chapter in chapters(found)]
    assert names == ["foresight", "penalty", "disagreement", "reliability", "intervals", "reach"]
    with pytest.raises(KeyError, match="Halting"):
        replace(found, sections=()).section(Halting)


def test_the_figures_of_the_toys_by_hand() -> None:
    """U is 7 everywhere; the data's mean |reward| is 2, so λ = 1 costs 3.5 of it there.

    The members' means lie √(1.5² + 36) apart; a deviation of the data is √(2/3).
    """
    found = diagnose_toys(toy_ensemble())
    scale = found.section(PenaltyReport).data.measures["max_std"]
    assert (scale.mean, scale.high, scale.cost) == (pytest.approx(7), pytest.approx(7), pytest.approx(3.5))
    assert found.section(Halting).marks[10] == pytest.approx((1.5**2 + 36) ** 0.5 / (2 / 3) ** 0.5)
    assert found.section(CalibrationReport).holdout.correlation["max_std"] is None
    assert found.section(HorizonReport).replay is None
    assert found.section(HorizonReport).errors[0].episodes == (9, 0)


def test_a_horizon_without_enough_episodes_is_noted() -> None:
    """The toys have nine windows, of which twenty are needed: a warning would blame a perfect model."""
    found = diagnose_toys(counting_ensemble())
    assert (advise(found)[0].topic, advise(found)[0].warning) == ("horizon", False)
    assert any("at least 20 episodes, but only 9 were followed" in note for note in found.notes)


def test_halting_compares_all_members_even_if_only_elites_are_penalised() -> None:
    """PessimisticModel-v0 compares all members: its threshold is not that of the elites, 3 apart."""
    parts = assemble(toy_transitions(), options=ModelOptions(model=toy_ensemble(), termination="never"))
    for members, u in (("all", 7), ("elites", 3)):
        found = diagnose(parts, settings=replace(SMALL, penalty_members=members))
        assert found.section(PenaltyReport).data.measures["max_std"].mean == pytest.approx(u)
        assert found.section(Halting).marks[10] == pytest.approx((1.5**2 + 36) ** 0.5 / (2 / 3) ** 0.5)


@pytest.mark.filterwarnings("ignore:The model .* was fitted to")
def test_relabelled_rewards_are_not_compared_with_the_simulators(tiny_model: Path) -> None:
    demo = load_transitions(DEMO)
    for transitions, compared in ((demo, True), (replace(demo, rewards=-demo.rewards), False)):
        found = diagnose(
            assemble(transitions, options=ModelOptions(model=tiny_model)), policy=Still(), settings=SMALL
        )
        horizon = found.section(HorizonReport)
        recorded, chosen = horizon.errors
        assert horizon.replay is not None
        assert horizon.replay.same_reward == compared
        assert horizon.replay.obs_error < 1e-4
        assert ("model, sampled", "reward") in recorded.growth
        assert (("model, sampled", "reward") in chosen.growth) == compared
        assert (("simulator", "reward") in recorded.growth) == compared
        real = found.section(CalibrationReport).real
        assert real is not None
        shares = real.shares
        assert shares is not None
        assert shares[:, 0].isnan().any() != compared
        assert not shares[:, 1:].isnan().any()
        assert any("are not the simulator's" in note for note in found.notes) != compared


def test_sections_compare_the_sets_of_steps_that_they_name(tiny_model: Path) -> None:
    parts = assemble(DEMO, options=ModelOptions(model=tiny_model))
    imagined = ["imagined policy steps", "imagined random steps"]
    found = diagnose(parts, policy=Still(), settings=SMALL)
    assert list(found.section(Halting).disagreement) == [DATASET, *imagined]
    assert list(found.section(Coverage).outside) == [*imagined, REAL]
    assert found.section(Halting).source == found.evidence.source == imagined[0]
    alone = diagnose(parts, settings=SMALL)
    assert list(alone.section(Coverage).outside) == imagined[1:]
    assert alone.evidence.source == imagined[1]
    assert alone.evidence.real is None


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
        assert csv_text(chapter.rows) or not found.section(PenaltyReport).data.measures


def test_replayed_columns_and_single_steps_are_refused_at_once() -> None:
    options = ModelOptions(model=counting_ensemble(), termination="never", known={1: "replayed"})
    with pytest.raises(SettingsError, match="nothing is known of replayed columns"):
        diagnose(assemble(toy_transitions(), options=options), settings=SMALL)
    one = assemble(toy_transitions(), options=ModelOptions(model=counting_ensemble(), termination="never"))
    step = replace(
        one.transitions,
        **{name: getattr(one.transitions, name)[:1] for name in ROWS},
        episode_starts=torch.tensor([0]),
    )
    with pytest.raises(SettingsError, match="at least two steps of data, got 1"):
        diagnose(one._replace(transitions=step), settings=SMALL)

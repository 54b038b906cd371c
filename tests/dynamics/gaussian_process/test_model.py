"""A Gaussian process as a dynamics model: units, files, and the environments that step it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.dynamics import (
    MEASURES,
    GaussianProcessDynamics,
    is_dynamics_model,
    read_model,
    read_model_card,
    save_model,
)
from offline_envs.dynamics.gaussian_process import model as module
from offline_envs.errors import CheckpointError, SettingsError
from tests.dynamics.gaussian_process.own_process import NOISES, process_of
from tests.dynamics.linear_data import linear_transitions

DATA = replace(linear_transitions(60), terminated=torch.zeros(60, dtype=torch.bool))
FORMS = pytest.mark.parametrize("exact", [True, False], ids=["exact", "sparse"])
FAR = (torch.full((1, 2), 50.0), torch.full((1, 1), 50.0))


def pairs(n: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    return DATA.obs[:n], DATA.actions[:n]


@FORMS
def test_it_predicts_in_raw_units(exact: bool) -> None:
    """The posterior in standardised units, scaled back, with the noise added to the variance."""
    process = process_of(DATA, exact=exact)
    assert is_dynamics_model(process)
    prediction = process.predict(*pairs())
    assert prediction.mean.shape == prediction.std.shape == (1, 9, 3)
    assert prediction.mean.dtype == torch.float32
    targets = torch.cat([DATA.rewards[:, None], DATA.next_obs - DATA.obs], dim=1)
    mean, std = targets.mean(dim=0), targets.std(dim=0, correction=0)
    inputs = process.normalizer(torch.cat(pairs(), dim=1)).double()
    centre, variance = (part.T for part in process.posterior(inputs))
    torch.testing.assert_close(prediction.mean[0], (centre * std + mean).float(), rtol=1e-4, atol=1e-5)
    deviation = (variance + torch.tensor(NOISES)).sqrt() * std
    torch.testing.assert_close(prediction.std[0], deviation.float(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(process.noise_std, torch.tensor(NOISES).sqrt() * std, rtol=1e-4, atol=1e-5)
    twice = process.predict(*pairs(), torch.tensor([0, 0]))
    assert torch.equal(twice.mean, prediction.mean.expand(2, -1, -1))


@FORMS
def test_the_deviation_is_of_two_parts(exact: bool) -> None:
    process = process_of(DATA, exact=exact)
    prediction, epistemic = process.predict(*pairs()), process.epistemic_std(*pairs())
    squares = epistemic.square() + process.noise_std.square()
    torch.testing.assert_close(prediction.std[0].square(), squares)
    norms = torch.linalg.vector_norm(epistemic, dim=1)
    torch.testing.assert_close(process.epistemic_measure()(prediction), norms, rtol=1e-3, atol=1e-5)


@FORMS
def test_penalties_grow_away_from_the_data(exact: bool) -> None:
    process = process_of(DATA, exact=exact)
    for measure in (MEASURES["max_std"], process.epistemic_measure()):
        near, far = (measure(process.predict(*at)).max() for at in (pairs(60), FAR))
        assert far > 1.5 * near
    torch.testing.assert_close(process.epistemic_std(*FAR)[0], process.scaler.std)  # the prior's


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    process = process_of(DATA)
    whole = process.predict(*pairs(50))
    monkeypatch.setattr(module, "LARGEST_COVARIANCE", 7 * 3 * 60)
    for a, b in zip(process.predict(*pairs(50)), whole, strict=True):
        torch.testing.assert_close(a, b)


@FORMS
def test_saved_and_read_it_predicts_the_same(exact: bool, tmp_path: Path) -> None:
    process = process_of(DATA, exact=exact)
    save_model(tmp_path / "model", process, transitions=DATA)
    assert read_model_card(tmp_path / "model")["kind"] == "gp"
    read = read_model(tmp_path / "model")
    assert isinstance(read, GaussianProcessDynamics)
    assert read.exact is exact
    for again in (read, process.copy(), process.to("cpu")):
        for a, b in zip(again.predict(*pairs()), process.predict(*pairs()), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_an_exact_process_stores_rows_and_no_matrix() -> None:
    assert "root" not in process_of(DATA).state_dict()
    assert "root" in process_of(DATA, exact=False).state_dict()


def test_a_copy_is_independent() -> None:
    process = process_of(DATA)
    before = process.predict(*pairs()).mean
    process.copy().weights.zero_()
    assert torch.equal(process.predict(*pairs()).mean, before)


def test_a_card_of_other_dimensions_is_refused(tmp_path: Path) -> None:
    process = process_of(DATA)
    process.action_dim = 2
    save_model(tmp_path / "model", process)
    with pytest.raises(CheckpointError, match=r"length_scales of shape \(3, 3\) instead of \(3, 4\)"):
        read_model(tmp_path / "model")


def test_more_points_than_memory_holds_are_refused_before_their_matrix(tmp_path: Path) -> None:
    process = process_of(DATA)
    process.weights = torch.zeros(3, 10_001, dtype=torch.float64)
    process.points = torch.zeros(1, 10_001, 3, dtype=torch.float64)
    save_model(tmp_path / "model", process)
    with pytest.raises(CheckpointError, match="10001 rows, where an exact process has at most 10000"):
        read_model(tmp_path / "model")


@pytest.fixture
def epistemic(monkeypatch: pytest.MonkeyPatch) -> GaussianProcessDynamics:
    process = process_of(DATA)
    monkeypatch.setattr(MEASURES, "_entries", dict(MEASURES))
    MEASURES.register("epistemic", process.epistemic_measure())
    return process


@pytest.mark.parametrize("n_rows", [3, 1500])
@pytest.mark.parametrize(
    ("env_id", "own"),
    [
        ("LearnedModel-v0", {}),
        ("PenalizedModel-v0", {}),
        ("PenalizedModel-v0", {"penalty": "epistemic"}),
        ("PenalizedModel-v0", {"member": "episode", "penalty_members": "elites"}),
    ],
)
def test_environments_step_it(
    env_id: str, own: dict[str, Any], n_rows: int, epistemic: GaussianProcessDynamics
) -> None:
    options = {"dataset": DATA, "model": epistemic, "termination": "never", **own}
    envs: Any = gym.make_vec(env_id, num_envs=n_rows, step_infos=True, **options)
    obs, _ = envs.reset(seed=0)
    actions = np.full((n_rows, 1), 0.5, np.float32)
    next_obs, rewards, _, _, infos = envs.step(actions)
    assert np.isfinite(next_obs).all()
    prediction = epistemic.predict(torch.from_numpy(obs), torch.from_numpy(actions))
    expected = MEASURES[own.get("penalty", "max_std")](prediction) if env_id == "PenalizedModel-v0" else 0.0
    np.testing.assert_allclose(infos["penalty"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(infos["raw_reward"] - rewards, infos["penalty"], rtol=1e-4, atol=1e-5)
    single = gym.make(env_id, **options)
    single.reset(seed=0)
    assert np.isfinite(single.step(actions[0])[0]).all()


def test_what_it_cannot_do_is_refused() -> None:
    options: dict[str, Any] = {"dataset": DATA, "model": process_of(DATA), "termination": "never"}
    for changes, message in (
        ({"id": "PenalizedModel-v0", "penalty": "max_disagreement"}, "compares members, but a single one"),
        ({"id": "PessimisticModel-v0"}, "at least two members"),
        ({"id": "AdversarialModel-v0"}, "by its gradients, got GaussianProcessDynamics"),
        ({"id": "LearnedModel-v0", "ensemble": {"n_members": 3}}, "model= is already fitted"),
        ({"id": "LearnedModel-v0", "precision": "bfloat16"}, "an ensemble, got GaussianProcessDynamics"),
    ):
        with pytest.raises(SettingsError, match=message):
            gym.make(**options, **changes)

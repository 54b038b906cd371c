"""The adversary's effect on a model of the two-state world, and what it must not change."""

import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor

from offline_envs.adversary import Adversary, AdversarySettings, UpdateReport
from offline_envs.adversary.supervision import Supervision
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, load_ensemble, save_model
from offline_envs.dynamics.fitting.fit_state import make_optimizer
from offline_envs.errors import CheckpointError, SettingsError
from tests.adversary.toy import FIT, NOISE, AlwaysRight, adversary_of, fitted, known, two_states, weights_of

PAIR = EnsembleSettings(n_members=3, n_elites=2, hidden=(8,))


@pytest.fixture(scope="module")
def model() -> EnsembleDynamics:
    return fitted(two_states())


@pytest.fixture(scope="module")
def data() -> Transitions:
    return two_states(400)


@pytest.fixture(scope="module")
def pair(data: Transitions) -> EnsembleDynamics:
    return fitted(data, PAIR)


def next_of(ensemble: EnsembleDynamics, action: float) -> Tensor:
    """Where the first elite takes states 0 and 1 on average, `(2,)`."""
    obs = torch.tensor([[0.0], [1.0]])
    mean = ensemble.predict(obs, torch.full((2, 1), action), ensemble.elites[:1]).mean
    return obs[:, 0] + mean[0, :, 1]


@pytest.mark.parametrize(("start", "states"), [("dataset", {0.0, 1.0}), ("initial", {0.0})])
def test_episodes_begin_where_the_settings_say(
    start: str, states: set[float], data: Transitions, pair: EnsembleDynamics
) -> None:
    seen: set[float] = set()

    class Noting(AlwaysRight):
        def act(self, obs: Tensor) -> Tensor:
            seen.update(obs.flatten().tolist())
            return super().act(obs)

    adversary_of(data, deepcopy(pair), start=start, horizon=1).update(Noting(), 2)
    assert seen == states  # the one episode of the data begins at 0


def test_value_falls_where_there_are_no_data_and_by_a_known_bound_where_there_are(
    model: EnsembleDynamics,
) -> None:
    """With data, the push λ·ρ/σ meets the pull of the fit, p·2(y − μ)/(D·σ²), at y − μ = c·σ, c = λ·ρ·D/2p.

    D = 2 outputs; p = ½ is the share of rows with that action; ρ = 1/√2 is how far r + V(s′) is due to s′,
    as reward and next_obs have the same noise and γ = 1. The fit widens σ² to NOISE² + (y − μ)², which leaves
    y − μ = c·NOISE/√(1 − c²). Without data nothing pulls.
    """
    weight = 0.3
    settings: dict[str, Any] = {"adv_weight": weight, "learning_rate": 2e-3, "horizon": 1, "gamma": 1.0}
    covered = adversary_of(two_states(), model, **settings)
    covered.update(AlwaysRight(), 300)
    falls = []
    for _ in range(20):  # weights fluctuate from batch to batch
        covered.update(AlwaysRight(), 20)
        falls.append(1 - next_of(covered.ensemble, 1.0).mean())
    c = weight * math.sqrt(0.5) * 2 / (2 * 0.5)
    bound = c * NOISE / math.sqrt(1 - c**2)
    assert float(torch.stack(falls).mean()) == pytest.approx(bound, rel=0.2)
    assert not covered.stopped
    with pytest.warns(UserWarning, match="fitted to other rows"):
        uncovered = adversary_of(two_states(good_action=False), model, **settings)
    uncovered.update(AlwaysRight(), 200)
    assert next_of(uncovered.ensemble, 1.0).max() < -1.0  # from 1, past the bad state at 0
    for adversary in (covered, uncovered):
        assert next_of(adversary.ensemble, -1.0).abs().max() < 0.05  # the policy never goes there


def test_without_weight_only_the_supervised_steps_remain(data: Transitions, pair: EnsembleDynamics) -> None:
    adversary = adversary_of(data, pair, adv_weight=0.0, batch_size=32, seed=3)
    adversary.update(AlwaysRight(), 7)
    plain = pair.copy()
    supervision = Supervision(plain, data, fit_settings=FIT, batch_size=32)
    optimizer = make_optimizer(plain, replace(FIT, learning_rate=3e-4))
    generator = torch.Generator().manual_seed(2 * 3 + 1)
    for _ in range(7):
        optimizer.zero_grad()
        torch.autograd.backward(supervision.loss(generator))
        optimizer.step()
    assert torch.equal(weights_of(adversary.ensemble), weights_of(plain))
    assert not torch.equal(weights_of(plain), weights_of(pair))


def test_without_weight_nothing_happens_with_skip_if_zero(data: Transitions, pair: EnsembleDynamics) -> None:
    adversary = adversary_of(data, pair, adv_weight=0.0, skip_if_zero=True)
    report = adversary.update(AlwaysRight(), 7)
    assert (report.n_steps, adversary.n_steps) == (0, 0)
    assert math.isnan(report.adversarial_loss)
    assert torch.equal(weights_of(adversary.ensemble), weights_of(pair))


def test_the_adversary_moves_elites_only(data: Transitions, pair: EnsembleDynamics) -> None:
    """The member that is never drawn from is unchanged, except for the shared bounds."""
    strong, none = (adversary_of(data, pair, adv_weight=weight, check_every=10**6) for weight in (1.0, 0.0))
    (outsider,) = set(range(3)) - set(pair.elites.tolist())
    for adversary in (strong, none):
        adversary.update(AlwaysRight(), 1)
    for name in ("trunk.0.weight", "heads.0.weight"):
        moved = (strong.ensemble.state_dict()[name] - none.ensemble.state_dict()[name]).abs().amax((1, 2))
        assert moved[outsider] == 0
        assert bool((moved[pair.elites] > 0).all())


def test_layer_norms_are_moved_and_resumed_with_the_weights(data: Transitions, tmp_path: Path) -> None:
    normed = EnsembleSettings(n_members=3, n_elites=2, hidden=(8,), layer_norm=True, activation="leaky_relu")
    model = fitted(data, normed)
    adversary = adversary_of(data, model, batch_size=16)
    adversary.update(AlwaysRight(), 2)
    for name, value in model.norms.named_parameters():
        assert not torch.equal(value, adversary.ensemble.norms.get_parameter(name)), name
    adversary.save(tmp_path / "state")
    adversary.update(AlwaysRight(), 3)
    other = adversary_of(data, model, batch_size=16)
    other.load(tmp_path / "state")
    other.update(AlwaysRight(), 3)
    assert torch.equal(weights_of(adversary.ensemble), weights_of(other.ensemble))


def test_the_cached_model_is_untouched(data: Transitions, pair: EnsembleDynamics, tmp_path: Path) -> None:
    save_model(tmp_path / "model", pair)
    content = (tmp_path / "model" / "weights.safetensors").read_bytes()
    shared = load_ensemble(tmp_path / "model")
    options: dict[str, Any] = {"dataset": data, "model": str(tmp_path / "model"), "termination": "never"}
    env, other = (gym.make("AdversarialModel-v0", **options).unwrapped for _ in range(2))
    plain: Any = gym.make("LearnedModel-v0", **options).unwrapped
    assert plain.ensemble is shared
    Adversary(env.mdp, env.transitions, fit_settings=FIT).update(AlwaysRight(), 5)  # type: ignore[attr-defined]
    assert not torch.equal(weights_of(env.ensemble), weights_of(pair))  # type: ignore[attr-defined]
    for ensemble in (shared, load_ensemble(tmp_path / "model"), other.ensemble):  # type: ignore[attr-defined]
        assert torch.equal(weights_of(ensemble), weights_of(pair))
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() == content


def test_updates_add_up_and_a_saved_adversary_resumes_exactly(
    data: Transitions, pair: EnsembleDynamics, tmp_path: Path
) -> None:
    """A check, a rollout's end and a restart all fall inside a part."""
    settings: dict[str, Any] = {"adv_weight": 0.1, "horizon": 3, "check_every": 4, "batch_size": 16}
    whole = adversary_of(data, pair, **settings)
    whole.update(AlwaysRight(), 20)
    first = adversary_of(data, pair, **settings)
    first.update(AlwaysRight(), 10)
    first.save(tmp_path / "state")
    second = adversary_of(data, pair, **settings)
    second.load(tmp_path / "state")
    first.update(AlwaysRight(), 10)
    report = second.update(AlwaysRight(), 10)
    assert report.holdout_ratio == second._safety.ratio == whole._safety.ratio
    for part in (first, second):
        assert part.n_steps == whole.n_steps == 20
        ours, theirs = part._tensors(), whole._tensors()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_state_of_another_adversary_is_refused(
    data: Transitions, pair: EnsembleDynamics, tmp_path: Path
) -> None:
    adversary_of(data, pair).save(tmp_path / "state")
    with pytest.raises(CheckpointError, match="adversary with other settings"):
        adversary_of(data, pair, seed=1).load(tmp_path / "state")
    with pytest.raises(CheckpointError, match="other dataset"):
        adversary_of(replace(data, rewards=data.rewards + 1), pair).load(tmp_path / "state")
    with pytest.raises(CheckpointError, match="does not exist"):
        adversary_of(data, pair).load(tmp_path / "nothing")


def test_the_weights_keep_their_addresses(data: Transitions, pair: EnsembleDynamics, tmp_path: Path) -> None:
    """A captured step of a vector environment on a GPU holds their addresses."""
    adversary = adversary_of(data, pair, horizon=2)
    before = [value.data_ptr() for value in adversary.ensemble.state_dict().values()]
    weights = weights_of(adversary.ensemble)
    adversary.save(tmp_path / "first")
    adversary.update(AlwaysRight(), 2)
    assert not torch.equal(weights_of(adversary.ensemble), weights)
    adversary.load(tmp_path / "first")
    with pytest.warns(UserWarning, match="stopped"):
        adversary._safety.stop("of this test")
    assert torch.equal(weights_of(adversary.ensemble), weights)
    assert [value.data_ptr() for value in adversary.ensemble.state_dict().values()] == before


def test_it_stops_and_restores_the_weights_when_the_model_degrades(
    data: Transitions, pair: EnsembleDynamics
) -> None:
    adversary = adversary_of(data, pair, adv_weight=100.0, learning_rate=0.05, check_every=5)
    with pytest.warns(UserWarning, match=r"stopped: the holdout error .* more than tolerance=2\."):
        report = adversary.update(AlwaysRight(), 100)
    assert report.n_steps == adversary.n_steps < 100
    assert report.n_steps % 5 == 0
    assert report.holdout_ratio > 2
    assert adversary._supervision.holdout_mse().max() <= 2 * adversary._safety.first.max()
    weights = weights_of(adversary.ensemble)
    assert adversary.update(AlwaysRight(), 5).n_steps == 0
    assert torch.equal(weights_of(adversary.ensemble), weights)


def test_a_gradient_that_is_not_finite_is_never_followed(data: Transitions, pair: EnsembleDynamics) -> None:
    """Nor is the step counted: its figures are NaN and would spoil the means."""

    class BreaksAfter(AlwaysRight):
        def __init__(self, n_steps: int) -> None:
            self.left = n_steps

        def state_value(self, obs: Tensor) -> Tensor:
            self.left -= 1
            return obs[:, 0] if self.left >= 0 else torch.full((len(obs),), math.nan)

    for n_good in (0, 2):
        adversary, whole = adversary_of(data, pair), adversary_of(data, pair)
        expected = whole.update(AlwaysRight(), n_good)
        with pytest.warns(UserWarning, match="the norm of the gradient is nan"):
            report = adversary.update(BreaksAfter(n_good), 10)
        assert (report.n_steps, adversary.n_steps) == (n_good, n_good)
        assert report == pytest.approx(expected, nan_ok=True)
        assert torch.equal(weights_of(adversary.ensemble), weights_of(pair))  # the last good check


def test_report_of_a_step_by_hand(data: Transitions) -> None:
    class Flat(AlwaysRight):
        def state_value(self, obs: Tensor) -> Tensor:
            return torch.zeros(len(obs))

    model = known(data, (1.0, 0.0), (0.1, 0.1))
    report = adversary_of(data, model, batch_size=20_000).update(Flat(), 1)
    assert isinstance(report, UpdateReport)
    assert report.advantage == pytest.approx(1.0 - 2.0, abs=0.01)  # reward 1, V = 0, Q = 2
    assert report.advantage_std == pytest.approx(0.1, rel=0.02)
    two_outputs = -2 * (0.5 * math.log(2 * math.pi * 0.1**2) + 0.5)  # minus the entropy
    assert report.log_prob == pytest.approx(two_outputs, abs=0.03)
    assert report.holdout_ratio == 1.0


def test_gradients_are_clipped(data: Transitions, pair: EnsembleDynamics) -> None:
    adversary = adversary_of(data, pair, clip_grad_norm=1e-3)
    adversary.update(AlwaysRight(), 1)
    squares = sum(float(p.grad.square().sum()) for p in adversary.ensemble.parameters() if p.grad is not None)
    assert math.sqrt(squares) == pytest.approx(1e-3, rel=1e-3)


def test_the_defaults_that_are_not_those_of_the_release_are_named() -> None:
    """The release's values, from its configurations and its code; λ and the horizon are one of two there."""
    released = {
        "adv_weight": 3e-4,
        "skip_if_zero": True,
        "horizon": 5,
        "batch_size": 256,
        "learning_rate": 3e-4,
        "gamma": 0.99,
        "steps_per_update": 1.0,
        "restart_ended": False,
        "clip_grad_norm": None,
    }
    defaults = AdversarySettings()
    different = {name: value for name, value in released.items() if getattr(defaults, name) != value}
    summary = str(AdversarySettings.__doc__).split("Attributes:")[0]
    assert {name for name in vars(defaults) if f"`{name}=" in summary} == set(different)
    assert all(f"`{name}={value}`" in summary for name, value in different.items())


def test_models_that_cannot_be_moved_are_refused(data: Transitions, pair: EnsembleDynamics) -> None:
    env: Any = gym.make("LearnedModel-v0", dataset=data, model=pair, termination="never").unwrapped
    with pytest.raises(SettingsError, match=r"frozen.*AdversarialModel-v0"):
        Adversary(env.mdp, data)
    for settings, message in (
        (EnsembleSettings(probabilistic=False), "probabilistic=False"),
        (EnsembleSettings(spectral_norm=True), "spectral norm"),
    ):
        with pytest.raises(SettingsError, match=message):
            adversary_of(data, EnsembleDynamics(1, 1, settings=settings))


def test_fits_by_another_loss_are_refused(data: Transitions, pair: EnsembleDynamics) -> None:
    """Otherwise supervised steps would undo what the fit had learned from it."""
    several = replace(FIT, rollout_steps=5)
    with pytest.raises(
        SettingsError, match=r"rollout_steps=1 and value_weight=0, got 5 and 0\. Leave them out"
    ):
        adversary_of(data, pair, several)
    with pytest.raises(SettingsError, match=r"got 1 and 0\.0001"):
        adversary_of(data, pair, replace(FIT, value_weight=1e-4))


@pytest.mark.parametrize("changes", [{"spread": 0.1}, {"spread": "calibrated"}, {"member": "episode"}])
def test_other_steps_than_its_own_are_refused(
    changes: dict[str, Any], data: Transitions, pair: EnsembleDynamics, tmp_path: Path
) -> None:
    """Otherwise it would lower outcomes that the agent never sees."""
    save_model(tmp_path, pair, transitions=data, fit_settings=FIT)
    options: dict[str, Any] = {"dataset": data, "model": str(tmp_path), "termination": "never", **changes}
    env: Any = gym.make("AdversarialModel-v0", **options).unwrapped
    with pytest.raises(SettingsError, match=r"got the sampler .*\. Leave member= and spread= out"):
        Adversary(env.mdp, data, fit_settings=FIT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"adv_weight": -1.0},
        {"horizon": 0},
        {"gamma": 1.5},
        {"tolerance": 1.0},
        {"clip_grad_norm": 0.0},
        {"steps_per_update": 0.0},
        {"start": "first"},
        {"seed": -1},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        AdversarySettings(**wrong)


def test_settings_survive_json() -> None:
    settings = AdversarySettings(adv_weight=0.0, clip_grad_norm=5.0)
    assert AdversarySettings.from_json(settings.to_json()) == settings

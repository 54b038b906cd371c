"""The loss over several steps beside a plain loop, and fits by it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, Fitted, fit
from offline_envs.dynamics.fitting.losses import data_loss
from offline_envs.dynamics.fitting.multi_step import MultiStep, windows_of
from offline_envs.dynamics.fitting.rows import Rows, split_index, split_rows, standardize_targets
from offline_envs.dynamics.fitting.training import _holdout_mse
from offline_envs.dynamics.fitting.windows import successors

pytestmark = pytest.mark.filterwarnings("ignore:On the holdout")  # noise cannot be predicted

SHAPE = EnsembleSettings(n_members=2, n_elites=1, hidden=(8,))
STEPS = FitSettings(rollout_steps=3, own_schedule="constant", own_kind="sample", holdout=20, seed=2)
N_MEMBERS, N_OBS = 2, 2


def walk(n: int = 120, n_episodes: int = 6) -> Transitions:
    """Random walks in units far from 1; actions and rewards are noise."""
    generator = torch.Generator().manual_seed(0)
    moves = torch.randn(n_episodes, n // n_episodes + 1, N_OBS, generator=generator)
    path = moves.cumsum(dim=1) * torch.tensor([5.0, 0.1]) + torch.tensor([3.0, 0.0])
    return Transitions(
        obs=path[:, :-1].reshape(n, N_OBS),
        actions=torch.rand(n, 1, generator=generator) * 2 - 1,
        rewards=torch.randn(n, generator=generator),
        next_obs=path[:, 1:].reshape(n, N_OBS),
        terminated=torch.zeros(n, dtype=torch.bool),
        episode_starts=torch.arange(n_episodes) * (n // n_episodes),
        action_space=Box(-1, 1, (1,)),
    )


class Parts:
    """What `fit` makes of a dataset before its first step."""

    def __init__(
        self, fit_settings: FitSettings, *, probabilistic: bool = True, standardized: bool = True
    ) -> None:
        self.data = walk()
        shape = replace(SHAPE, probabilistic=probabilistic)
        self.ensemble = EnsembleDynamics(N_OBS, 1, settings=shape, seed=5)
        with torch.no_grad():
            for head in self.ensemble.heads:
                head.get_parameter("weight").mul_(10)
        self.rows = split_rows(
            self.data, self.ensemble.normalizer, fit_settings=fit_settings, device=torch.device("cpu")
        )
        self.scaler = standardize_targets(self.rows) if standardized else None
        if fit_settings.rollout_steps > 1:
            windows = windows_of(
                self.data,
                self.rows,
                normalizer=self.ensemble.normalizer,
                scaler=self.scaler,
                fit_settings=fit_settings,
            )
            assert windows.train is not None
            assert windows.holdout is not None
            self.train, self.holdout = windows.train, windows.holdout


def plain_loss(parts: Parts, settings: FitSettings, index: Tensor, chosen: Tensor, noise: Tensor) -> Tensor:
    """Member by member, window by window, step by step, in raw units until the loss."""
    train, _ = split_index(len(parts.data), settings)
    starts = set(parts.data.episode_starts.tolist())
    ensemble, data = parts.ensemble, parts.data
    mean_of = parts.scaler.mean if parts.scaler else torch.zeros(1 + N_OBS)
    std_of = parts.scaler.std if parts.scaler else torch.ones(1 + N_OBS)
    found = []
    for i in range(N_MEMBERS):
        losses = []
        for b, place in enumerate(index[i].tolist()):
            row = int(train[place])
            obs = data.obs[row]
            for j in range(settings.rollout_steps):
                inputs = ensemble.normalizer(torch.cat([obs, data.actions[row]]))
                mean, logvar = ensemble(inputs.expand(N_MEMBERS, 1, -1))
                raw = mean[i, 0] * std_of + mean_of
                target = torch.cat([data.rewards[row : row + 1], data.next_obs[row] - obs])
                error = ((raw - target) / std_of).square()
                if logvar is not None:
                    error = error * torch.exp(-logvar[i, 0]) + logvar[i, 0]
                losses.append(error.mean())
                if row + 1 in starts or row + 1 == len(data) or row + 1 not in train.tolist():
                    break
                if j + 1 < settings.rollout_steps:
                    own = obs + raw[1:]
                    if logvar is not None:
                        own = own + (logvar[i, 0, 1:] / 2).exp() * std_of[1:] * noise[j, i, b]
                    own = own if settings.own_gradient else own.detach()
                    obs = own if chosen[j, i, b] else data.obs[row + 1]
                row += 1
        found.append(torch.stack(losses).mean())
    return torch.stack(found)


@pytest.mark.parametrize("own_gradient", [True, False])
@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("probabilistic", [True, False])
def test_loss_and_gradient_are_those_of_a_plain_loop(
    probabilistic: bool, standardized: bool, own_gradient: bool
) -> None:
    settings = replace(STEPS, own_inputs=0.6, own_gradient=own_gradient)
    parts = Parts(settings, probabilistic=probabilistic, standardized=standardized)
    index = torch.stack([torch.arange(i, 100, 7, dtype=torch.int32)[:12] for i in range(N_MEMBERS)])
    drawn = parts.train.draw(index, 0, None)
    assert 0.3 < drawn.chosen.float().mean() < 0.9
    found = parts.train.loss(parts.ensemble, index, *drawn)
    expected = plain_loss(parts, settings, index, *drawn)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    weights = list(parts.ensemble.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found.sum(), weights),
        torch.autograd.grad(expected.sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_without_own_inputs_it_is_the_loss_of_the_recorded_rows() -> None:
    settings = replace(STEPS, own_inputs=0.0)
    parts = Parts(settings)
    index = torch.arange(6, dtype=torch.int32).expand(N_MEMBERS, -1)
    drawn = parts.train.draw(index, 0, None)
    assert not drawn.chosen.any()
    following = successors(parts.data, settings).train.tolist()
    places = []
    for place in range(6):
        for _ in range(3):
            places.append(place)
            if following[place] == place:
                break
            place = following[place]
    inputs, targets = parts.rows.batch(torch.tensor(places).expand(N_MEMBERS, -1))
    mean, logvar = parts.ensemble(inputs)
    expected = data_loss(mean, logvar, targets)
    torch.testing.assert_close(parts.train.loss(parts.ensemble, index, *drawn), expected)


def test_one_step_is_the_usual_loss_and_score() -> None:
    settings = FitSettings(holdout=20)
    parts = Parts(settings)
    assert parts.scaler is not None
    one, held = (
        MultiStep(
            Rows(part, part, parts.rows.n_inputs),
            torch.arange(len(part)),
            parts.ensemble.normalizer,
            parts.scaler,
            fit_settings=settings,
        )
        for part in (parts.rows.train, parts.rows.holdout)
    )
    index = torch.arange(9, dtype=torch.int32).expand(N_MEMBERS, -1)
    inputs, targets = parts.rows.batch(index)
    mean, logvar = parts.ensemble(inputs)
    expected = data_loss(mean, logvar, targets)
    torch.testing.assert_close(one.loss(parts.ensemble, index, *one.draw(index, 0, 1)), expected)
    score = held.open_loop_error(parts.ensemble)
    torch.testing.assert_close(score, torch.tensor(_holdout_mse(parts.ensemble, parts.rows)))


def test_members_are_scored_by_the_rollout_of_their_means() -> None:
    parts = Parts(STEPS)
    settings = replace(STEPS, own_inputs=1.0)
    found = parts.holdout.open_loop_error(parts.ensemble)
    _, rows = split_index(len(parts.data), settings)
    starts = set(parts.data.episode_starts.tolist())
    ensemble = parts.ensemble.copy()
    assert parts.scaler is not None
    ensemble.rescale_outputs(parts.scaler.mean, parts.scaler.std)
    errors: list[Tensor] = []
    for row in rows.tolist():
        obs = parts.data.obs[row].expand(N_MEMBERS, -1)
        for step in range(3):
            at = row + step
            if step and (at not in rows.tolist() or at in starts):
                break
            mean = torch.stack(
                [ensemble.predict(obs[i : i + 1], parts.data.actions[at : at + 1]).mean[i, 0] for i in (0, 1)]
            )
            after = obs + mean[:, 1:]
            gone = torch.cat([mean[:, :1] - parts.data.rewards[at], after - parts.data.next_obs[at]], dim=1)
            errors.append((gone / parts.scaler.std).square().mean(dim=1))
            obs = after
    torch.testing.assert_close(found, torch.stack(errors).mean(dim=0), rtol=1e-4, atol=1e-5)


def test_draws_follow_the_schedule_and_only_seed_and_step() -> None:
    settings = replace(STEPS, own_inputs=0.8, own_schedule="linear", max_epochs=4)
    windows = Parts(settings).train
    index = torch.zeros(N_MEMBERS, 2000, dtype=torch.int32)
    shares = [windows.draw(index, step, 100).chosen.float().mean().item() for step in (0, 25, 50, 99)]
    assert shares == pytest.approx([0.0, 0.4, 0.8, 0.8], abs=0.02)
    again, other = windows.draw(index, 25, 100), windows.draw(index, 26, 100)
    first = windows.draw(index, 25, 100)
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.chosen, again.chosen)
    assert not torch.equal(first.noise, other.noise)
    assert first.noise.std().item() == pytest.approx(1.0, abs=0.05)
    means = Parts(replace(settings, own_kind="mean")).train
    assert not means.draw(index, 25, 100).noise.any()


QUICK = FitSettings(rollout_steps=3, max_epochs=3, batch_size=32, holdout=20)


def quick(shape: dict[str, Any], folder: Path | None = None, **changes: Any) -> Fitted:
    return fit(
        walk(),
        EnsembleSettings.from_json({**SHAPE.to_json(), **shape}),
        fit_settings=replace(QUICK, **changes),
        progress=False,
        folder=folder,
    )


@pytest.mark.parametrize("own_kind", ["mean", "sample"])
def test_an_interrupted_fit_resumes_to_the_same_weights(
    own_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = quick({}, own_kind=own_kind)
    gathered, left = Rows.batch, [4 * 3 + 4 * 3 + 5]  # in the second of 4 gradient steps of 3 rows an epoch

    def interrupt(rows: Rows, index: Tensor) -> tuple[Tensor, Tensor]:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return gathered(rows, index)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            quick({}, tmp_path, own_kind=own_kind)
    assert any(tmp_path.iterdir())
    resumed = quick({}, tmp_path, own_kind=own_kind)
    for name, value in whole.ensemble.state_dict().items():
        assert torch.equal(value, resumed.ensemble.state_dict()[name]), name
    assert resumed.report.holdout_history == whole.report.holdout_history


@pytest.mark.filterwarnings("ignore:precision=", "ignore:With spectral_bound")
@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ({}, {"precision": "bfloat16"}),
        ({}, {"schedule": "cosine", "standardize_targets": False}),
        ({"spectral_norm": True}, {}),
        ({"layer_norm": True, "activation": "leaky_relu"}, {"own_kind": "sample"}),
        ({"separate_heads": False}, {"bootstrap": False}),
    ],
)
def test_every_option_of_a_fit_works_with_windows(shape: dict[str, Any], changes: dict[str, Any]) -> None:
    first, second = quick(shape, **changes), quick(shape, **changes)
    assert first.report.epochs == 3  # growing own inputs keep a fit from stopping early
    assert all(math.isfinite(mse) for mse in first.report.holdout_mse)
    for name, value in first.ensemble.state_dict().items():
        assert torch.equal(value, second.ensemble.state_dict()[name]), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")
@pytest.mark.parametrize("own_kind", ["mean", "sample"])
def test_on_cuda_replayed_steps_draw_anew(own_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(QUICK, batch_size=10, own_kind=own_kind)  # ten full batches an epoch
    fits = [fit(walk(), SHAPE, fit_settings=settings, device="cuda", progress=False)]
    monkeypatch.setattr("offline_envs.dynamics.fitting.gradient_step.CapturedCall", lambda take, name: take)
    fits.append(fit(walk(), SHAPE, fit_settings=settings, device="cuda", progress=False))
    captured, plain = (torch.tensor(done.report.holdout_history) for done in fits)
    torch.testing.assert_close(captured, plain, rtol=1e-3, atol=1e-5)

"""Of several samples of the elites, the one that a score prefers."""

import math
from dataclasses import replace
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import Prediction
from offline_envs.mdp import EliteSampler, LearnedMDP, mdp
from offline_envs.methods import SELECTIONS, CandidateSampler
from tests.toy import ELITES, MEANS, STDS, toy_ensemble, toy_options

ALONE: dict[str, Any] = {"elites": (1,)}


def to_the_right(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    """A score by hand: the first observation after the step."""
    assert len(obs) == len(action) == len(next_obs)
    return next_obs[:, 0]


def toy_mdp(
    selection: str = "argmax", n_samples: int = 2, temperature: float = 0.1, **model: Any
) -> LearnedMDP:
    """The toy model, whose steps are chosen by `to_the_right`."""
    env: Any = gym.make("LearnedModel-v0", **toy_options(model=toy_ensemble(**model))).unwrapped
    elites, choose = env.mdp.members.elites, SELECTIONS[selection]
    sampler = CandidateSampler(to_the_right, elites, n_samples, choose, temperature)
    mdp_: LearnedMDP = replace(env.mdp, sampler=sampler)
    return mdp_


def batch(n: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(n, 2), torch.zeros(n, 1)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_one_sample_of_one_elite_is_the_step_of_the_learned_model(selection: str) -> None:
    """Bit for bit, from the same noise: there is nothing to choose."""
    chosen = toy_mdp(selection, n_samples=1, **ALONE)
    (obs, action), generator = batch(9), torch.Generator().manual_seed(5)
    noise, uniform = chosen.sampler.draw(9, chosen.members, generator, None)
    prediction = chosen.members.predict(obs, action)
    member = torch.zeros(9, dtype=torch.int64)
    plain = EliteSampler()(obs, action, prediction, (member, noise[:, 0]), generator)
    assert torch.equal(chosen.sampler(obs, action, prediction, (noise, uniform), generator), plain)


def test_candidates_by_hand() -> None:
    """Two samples of elite 2, then two of elite 0; the one furthest to the right is taken, reward and all."""
    chosen = toy_mdp()
    (obs, action), generator = batch(40), torch.Generator().manual_seed(0)
    step = chosen.step(obs + 3, action, generator)
    generator.manual_seed(0)
    noise = torch.randn(40, 4, 3, generator=generator)
    for row in range(40):
        outcomes = [
            torch.tensor(MEANS[member]) + torch.tensor(STDS[member]) * noise[row, 2 * place + sample]
            for place, member in enumerate(ELITES)
            for sample in range(2)
        ]
        best = max(outcomes, key=lambda outcome: float(outcome[1]))
        torch.testing.assert_close(step.next_obs[row], best[1:] + 3, rtol=1e-5, atol=1e-5)
        assert step.reward[row].item() == pytest.approx(best[0].item(), rel=1e-5)


def test_more_samples_find_better_ones_and_the_softmax_lies_between() -> None:
    means = {}
    for name, mdp_ in (
        ("one", toy_mdp(n_samples=1, **ALONE)),
        ("warm", toy_mdp("softmax", n_samples=8, temperature=3.0, **ALONE)),
        ("cold", toy_mdp("softmax", n_samples=8, temperature=1e-3, **ALONE)),
        ("best", toy_mdp(n_samples=8, **ALONE)),
    ):
        step = mdp_.step(*batch(4000), torch.Generator().manual_seed(1))
        means[name] = step.next_obs[:, 0].mean().item()
    assert means["one"] == pytest.approx(0.0, abs=0.15)  # the elite's own mean
    assert means["best"] == pytest.approx(
        3 * 1.4236, abs=0.1
    )  # the mean of the largest of eight normal numbers
    assert means["one"] < means["warm"] < means["best"] - 0.5
    assert means["cold"] == pytest.approx(means["best"], abs=0.01)


def test_the_softmax_follows_its_probabilities() -> None:
    """Scores 0, κ·log 2 and κ·log 5 have the weights 1 : 2 : 5; a score of −∞ has none."""
    scores = 0.1 * torch.tensor([[0.0, math.log(2), -math.inf, math.log(5)]])
    uniform = torch.tensor([0.0, 0.124, 0.126, 0.374, 0.376, 0.999999, 1.0])
    chosen = SELECTIONS["softmax"](scores.expand(7, -1), uniform, 0.1)
    assert chosen.tolist() == [0, 0, 1, 1, 3, 3, 3]
    assert SELECTIONS["argmax"](scores.expand(7, -1), uniform, 0.1).tolist() == [3] * 7


@pytest.mark.parametrize("selection", SELECTIONS)
def test_candidates_that_are_no_numbers_come_last(selection: str) -> None:
    chosen = toy_mdp(selection, n_samples=1)
    mean = torch.tensor(MEANS)[list(ELITES)][:, None].expand(-1, 50, -1).clone()
    mean[0] = torch.nan
    prediction = Prediction(mean, torch.ones_like(mean))
    drawn = chosen.sampler.draw(50, chosen.members, torch.Generator().manual_seed(0), None)
    assert chosen.sampler(*batch(50), prediction, drawn, torch.Generator()).isfinite().all()
    nothing = prediction._replace(mean=torch.full_like(mean, torch.nan))
    assert chosen.sampler(*batch(50), nothing, drawn, torch.Generator()).isnan().all()


@pytest.mark.parametrize("selection", SELECTIONS)
def test_chunks_change_nothing(selection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = toy_mdp(selection)
    whole = chosen.step(*batch(50), torch.Generator().manual_seed(2))
    monkeypatch.setattr(mdp, "CPU_CHUNK", 7)
    parts = chosen.step(*batch(50), torch.Generator().manual_seed(2))
    torch.testing.assert_close(parts.next_obs, whole.next_obs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(parts.reward, whole.reward, rtol=1e-5, atol=1e-5)

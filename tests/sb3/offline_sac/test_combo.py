import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution

from offline_envs.errors import SettingsError
from offline_envs.sb3 import COMBO, FastSAC
from offline_envs.sb3.offline_sac import conservatism
from offline_envs.sb3.offline_sac.conservatism import ConservativeStep, draw_candidates
from tests.sb3.fast_sac.agents import (
    MIXED,
    assert_same,
    double_precision,
    make,
    numbers,
    reloaded,
    trained,
)
from tests.sb3.offline_sac.test_ravl import random_batch

BETA, N = 0.7, 4
MIX: dict[str, Any] = {**MIXED, "conservative_weight": BETA}


def recorded_gap(
    critic: Any, batch: Any, actor: Any, rows: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Sum over critics of COMBO's term, with SB3's distribution and a loop over candidates."""
    noise = torch.empty(N, 2, len(batch.obs), 3).normal_(generator=generator)
    uniform = torch.empty(N, len(batch.obs), 3).uniform_(-1, 1, generator=generator)
    terms: list[list[torch.Tensor]] = [[], []]

    def lower(action: torch.Tensor, log_density: torch.Tensor | float) -> None:
        for each, value in zip(terms, critic(batch.obs, action), strict=True):
            each.append(value[:, 0] - log_density)

    for number in range(N):
        for place, states in enumerate((batch.obs, batch.next_obs)):
            with torch.no_grad():
                mean, log_std, _ = actor.get_action_dist_params(states)
                distribution = SquashedDiagGaussianDistribution(3).proba_distribution(mean, log_std)
                gaussian = mean + log_std.exp() * noise[number, place]
                action = torch.tanh(gaussian)
                log_density = distribution.log_prob(action, gaussian)
            lower(action, log_density)
        lower(uniform[number], 3 * math.log(0.5))
    lowered = [torch.logsumexp(torch.stack(each), dim=0)[rows].mean() for each in terms]
    raised = [value[batch.real[:, 0] == 1].mean() for value in critic(batch.obs, batch.action)]
    return torch.stack(lowered).sum() - torch.stack(raised).sum()


@pytest.mark.parametrize("chunk", [64, 5])
@pytest.mark.parametrize("rho", ["mix", "model"])
def test_the_critics_follow_the_gradient_of_autograd(
    rho: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conservatism, "CPU_CHUNK", chunk)
    with double_precision():
        agent = make(COMBO, wide=True, conservative_weight=BETA, n_candidates=N, rho=rho)
        critic, batch = deepcopy(agent.critic), random_batch()
        adam = torch.optim.Adam(critic.parameters(), lr=3e-4)
        step = agent._make_step(agent._parts())
        assert isinstance(step, ConservativeStep)
        rows = torch.full((12,), True) if rho == "mix" else batch.real[:, 0] == 0
        with torch.no_grad():
            states = torch.cat([batch.obs, batch.next_obs])[None]
            heads = step.actor.forward(states)[-1][0]
        for number in range(3):
            target = batch.reward + number
            gap = recorded_gap(critic, batch, agent.actor, rows, torch.Generator().manual_seed(number))
            errors = [value - target for value in critic(batch.obs, batch.action)]
            squares = torch.stack([(error**2).mean() for error in errors]).sum()
            adam.zero_grad()
            (0.5 * squares + BETA * gap).backward()
            adam.step()
            step.generator.manual_seed(number)
            step.gather()
            with torch.no_grad():
                loss = step._learn_critics(batch, heads, target)
            step.count(1)
            assert float(loss) == pytest.approx(0.5 * squares.item())
            logged = float(step.further["conservative_gap"])
            assert logged == pytest.approx(gap.item() / 2 - math.log(3 * N))
    for ours, theirs in zip(agent.critic.parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_candidates_count_by_their_density() -> None:
    """The mean of f / μ over candidates of density μ is the integral of f, here of exp(2 a) over [−1, 1]."""
    heads = torch.tensor([[0.2, 0.3], [-0.5, 0.1]], dtype=torch.float64)
    action, log_density = draw_candidates(heads, 50_000, torch.Generator().manual_seed(0))
    assert action.shape == (150_000, 1, 1)
    assert log_density.shape == (150_000, 1, 1)
    assert action.abs().max() <= 1
    estimates = (2 * action - log_density).exp().view(3, -1).mean(1)
    assert estimates.tolist() == pytest.approx([math.sinh(2)] * 3, rel=0.02)


def test_with_weight_0_it_is_fast_sac() -> None:
    combo = trained(COMBO, wide=True, conservative_weight=0.0)
    assert_same(numbers(combo), numbers(trained(FastSAC, wide=True)))


def test_a_vanishing_weight_is_next_to_fast_sac() -> None:
    """The term's random numbers leave the others alone."""
    combo = trained(COMBO, 20, **{**MIXED, "conservative_weight": 1e-12})
    assert_same(numbers(combo), numbers(trained(FastSAC, 20, **MIXED)), 1e-5)


def test_values_are_lowered_relative_to_the_datas() -> None:
    gaps = [
        trained(COMBO, 300, **{**MIXED, "conservative_weight": weight, "learning_rate": 1e-3})
        .logger.name_to_value["train/conservative_gap"]
        for weight in (1e-6, 5.0)
    ]  # fmt: skip
    assert gaps[1] < gaps[0] - 1


def test_it_is_saved_and_resumes_exactly(tmp_path: Path) -> None:
    agent = trained(COMBO, rho="model", n_candidates=3, **MIX)
    loaded = reloaded(agent, COMBO, tmp_path / "agent.zip")
    assert isinstance(loaded, COMBO)
    assert (loaded.conservative_weight, loaded.n_candidates, loaded.rho) == (BETA, 3, "model")
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))


def test_without_rows_of_the_model_no_value_is_raised() -> None:
    """As before the first rollout: all rows are the dataset's, so with nothing to lower the term is 0."""
    agents = [make(COMBO, rho="model", **{**MIX, "conservative_weight": weight}) for weight in (5.0, 1e-12)]
    for agent in agents:
        assert agent.replay_buffer is not None
        agent.replay_buffer.reset()
        agent.set_random_seed(3)
        agent.train(5, batch_size=16)
    assert_same(numbers(agents[0]), numbers(agents[1]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"conservative_weight": -1.0}, "conservative_weight must be at least 0, got -1.0"),
        ({"n_candidates": 0}, "n_candidates must be at least 1, got 0"),
        ({"rho": "data"}, "rho.*data.*mix, model"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(COMBO, **settings)


def test_batches_without_known_rows_of_a_dataset_are_refused_before_any_work() -> None:
    with pytest.raises(SettingsError, match="replay_buffer_class=MixedReplayBuffer, got ReplayBuffer"):
        make(COMBO).learn(4)
    few = {**MIXED["replay_buffer_kwargs"], "real_ratio": 0.05}
    with pytest.raises(SettingsError, match=r"batch_size=16 and real_ratio=0\.05"):
        make(COMBO, **{**MIXED, "replay_buffer_kwargs": few}).learn(4)
    make(COMBO, conservative_weight=0.0).learn(4)


def test_batches_without_rows_to_lower_values_at_are_refused_before_any_work() -> None:
    only = {**MIXED, "replay_buffer_kwargs": {**MIXED["replay_buffer_kwargs"], "real_ratio": 1.0}}
    with pytest.raises(SettingsError, match=r"rho='model' lowers .* got batch_size=16 and real_ratio=1\.0"):
        make(COMBO, rho="model", **only).learn(4)
    make(COMBO, rho="mix", **only).learn(4)

from copy import deepcopy
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from offline_envs.errors import SettingsError
from offline_envs.sb3 import RAVL, FastSAC
from offline_envs.sb3.fast_sac.sac_step import SACBatch
from offline_envs.sb3.offline_sac.diversity import slope_similarity
from tests.sb3.fast_sac.agents import assert_same, double_precision, make, numbers, reloaded, trained

SMALL = {"n_critics": 4, "net_arch": [16, 16, 16]}
ETA = 1.5


def random_batch(rows: int = 12) -> SACBatch:
    """Rows for an agent of `make(wide=True)`, the first quarter from a dataset."""
    generator = torch.Generator().manual_seed(5)
    obs, action, next_obs, reward, noise = (
        torch.randn(n, dim, generator=generator, dtype=torch.float64)
        for n, dim in ((rows, 2), (rows, 3), (rows, 2), (rows, 1), (2 * rows, 3))
    )
    real = (torch.arange(rows) < rows // 4).double()[:, None]
    return SACBatch(obs, action.tanh(), next_obs, reward, torch.full((rows, 1), 0.9), noise, real)


def similarity_of(networks: Any, batch: SACBatch) -> torch.Tensor:
    """EDAC's term, from autograd's slopes and PyTorch's cosine, pair by pair."""
    slopes = []
    for network in networks:
        action = batch.action.clone().requires_grad_(True)
        value = network(torch.cat([batch.obs, action], dim=1)).sum()
        slopes.append(torch.autograd.grad(value, action, create_graph=True)[0])
    pairs = [functional.cosine_similarity(a, b, dim=1).mean() for a, b in permutations(slopes, 2)]
    return torch.stack(pairs).sum() / (len(slopes) - 1)


def test_the_critics_follow_the_gradient_of_autograd() -> None:
    with double_precision():
        agent = make(RAVL, wide=True, diversity=ETA, policy_kwargs=SMALL)
        critic = deepcopy(agent.critic)
        adam = torch.optim.Adam(critic.parameters(), lr=3e-4)
        step, batch = agent._make_step(agent._parts()), random_batch()
        for number in range(3):
            target = batch.reward + number
            errors = [value - target for value in critic(batch.obs, batch.action)]
            squares = torch.stack([(error**2).mean() for error in errors]).sum()
            similarity = similarity_of(critic.q_networks, batch)
            adam.zero_grad()
            (squares + ETA * similarity).mul(0.5).backward()
            adam.step()
            step.gather()
            with torch.no_grad():
                loss = step._learn_critics(batch, torch.empty(0), target)
            step.count(1)
            assert float(loss) == pytest.approx(0.5 * squares.item())
            assert float(step.further["critic_similarity"]) == pytest.approx(similarity.item() / 4)
    for ours, theirs in zip(agent.critic.parameters(), critic.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_similarity_by_hand() -> None:
    """Of slopes along x, y and −x the pairs' cosines are 0, −1 and 0, each twice, over 2."""
    slopes = torch.tensor([[[2.0, 0.0]], [[0.0, 3.0]], [[-5.0, 0.0]]], dtype=torch.float64)
    similarity, _ = slope_similarity(slopes)
    assert similarity.item() == pytest.approx(-1.0)
    assert slope_similarity(slopes.abs().sum(2, keepdim=True).expand(-1, -1, 2))[0].item() == pytest.approx(3)


def test_no_slope_at_all_is_no_reason_for_a_nan() -> None:
    similarity, grad = slope_similarity(torch.zeros(3, 2, 2))
    assert similarity.item() == 0
    assert torch.isfinite(grad).all()


def test_without_the_term_it_is_fast_sac_with_ten_critics() -> None:
    ravl = trained(RAVL, wide=True, diversity=0.0)
    fast = trained(FastSAC, wide=True, policy_kwargs={"net_arch": [32, 32], "n_critics": 10})
    assert_same(numbers(ravl), numbers(fast))


def test_the_term_sets_the_slopes_apart() -> None:
    agents = [trained(RAVL, 300, wide=True, diversity=eta, learning_rate=1e-3) for eta in (1e-6, 10.0)]
    alike, apart = (agent.logger.name_to_value["train/critic_similarity"] for agent in agents)
    assert apart < alike - 0.2


def test_it_is_saved_and_resumes_exactly(tmp_path: Path) -> None:
    agent = trained(RAVL, wide=True, diversity=ETA)
    loaded = reloaded(agent, RAVL, tmp_path / "agent.zip")
    assert isinstance(loaded, RAVL)
    assert (loaded.diversity, loaded.critic.n_critics) == (ETA, 10)
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"diversity": -1.0}, "diversity must be at least 0, got -1.0"),
        ({"diversity": "1"}, "diversity must be of type float, got '1'"),
        ({"policy_kwargs": {"n_critics": 1}}, "diversity needs at least 2 critics, got n_critics=1"),
        ({"policy_kwargs": {"activation_fn": nn.Tanh}}, "diversity needs ReLU as activation_fn, got Tanh"),
        ({"critic_layer_norm": True}, "diversity needs critics .* got critic_layer_norm=True"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(RAVL, **settings)


def test_one_critic_of_tanh_will_do_without_the_term() -> None:
    make(RAVL, diversity=0.0, policy_kwargs={"n_critics": 1, "activation_fn": nn.Tanh}).train(1, 16)

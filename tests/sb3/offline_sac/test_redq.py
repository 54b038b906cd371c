from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution

from offline_envs.errors import SettingsError
from offline_envs.sb3 import REDQ, FastSAC
from tests.sb3.fast_sac.agents import assert_same, double_precision, make, numbers, reloaded, trained
from tests.sb3.offline_sac.test_ravl import random_batch

SMALL = {"n_critics": 4, "net_arch": [16, 16]}


def test_targets_are_the_smallest_of_the_drawn_and_each_pair_is_drawn_alike() -> None:
    step = make(REDQ, policy_kwargs=SMALL)
    drawn = step._make_step(step._parts())
    values = torch.tensor([10.0, 11.0, 12.0, 13.0])[:, None, None].expand(4, 2, 1)
    found = [float(drawn._next_value(values)[0, 0]) for _ in range(6000)]
    # Of six pairs three have the first critic, two more the second, one the third and the fourth.
    assert [found.count(value) / 6000 for value in (10.0, 11.0, 12.0, 13.0)] == pytest.approx(
        [3 / 6, 2 / 6, 1 / 6, 0], abs=0.02
    )


def test_the_actor_follows_the_mean_as_autograd_has_it() -> None:
    with double_precision():
        agent = make(REDQ, wide=True, policy_kwargs=SMALL, ent_coef=0.3)
        actor, batch = deepcopy(agent.actor), random_batch()
        adam = torch.optim.Adam(actor.parameters(), lr=3e-4)
        mean, log_std, _ = actor.get_action_dist_params(batch.obs)
        gaussian = mean + log_std.exp() * batch.noise[: len(batch.obs)]
        action = torch.tanh(gaussian)
        log_prob = (
            SquashedDiagGaussianDistribution(3).proba_distribution(mean, log_std).log_prob(action, gaussian)
        )
        value = torch.stack(agent.critic(batch.obs, action)).mean(0)
        loss = (0.3 * log_prob[:, None] - value).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        frozen = agent.critic.optimizer.param_groups[0]
        frozen["lr"] = 0.0  # so that the actor meets the same critics
        step = agent._make_step(agent._parts())
        step.gather()
        with torch.no_grad():
            losses = step(batch)
        assert float(losses["actor_loss"]) == pytest.approx(loss.item())
    for ours, theirs in zip(agent.actor.parameters(), actor.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_with_one_critic_it_is_fast_sac() -> None:
    one = {"n_critics": 1, "net_arch": [16]}
    redq = trained(REDQ, wide=True, n_target_critics=1, policy_kwargs=one)
    assert_same(numbers(redq), numbers(trained(FastSAC, wide=True, policy_kwargs=one)))


def test_it_is_saved_and_resumes_exactly(tmp_path: Path) -> None:
    agent = trained(REDQ, wide=True, n_target_critics=3)
    loaded = reloaded(agent, REDQ, tmp_path / "agent.zip")
    assert isinstance(loaded, REDQ)
    assert (loaded.n_target_critics, loaded.critic.n_critics) == (3, 10)
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))


@pytest.mark.parametrize("n_drawn", [0, 5])
def test_more_critics_than_there_are_cannot_be_drawn(n_drawn: int) -> None:
    settings: dict[str, Any] = {"n_target_critics": n_drawn, "policy_kwargs": SMALL}
    with pytest.raises(SettingsError, match=rf"between 1 and n_critics=4, got {n_drawn}"):
        make(REDQ, **settings)

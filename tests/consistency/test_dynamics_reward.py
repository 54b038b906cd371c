import pytest
import torch

from offline_envs.consistency import HIGHEST, LOWEST, Discriminators, DynamicsReward, dynamics_reward
from tests.consistency.test_network import layers_of


def made_up() -> DynamicsReward:
    own = Discriminators(layers_of(4), torch.zeros(5), torch.ones(5), "next_obs")
    return DynamicsReward(own, torch.tensor([-1.0, -2, 0, 1]), torch.tensor([1.0, 0, 3, 0.5]))


def steps(n: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(n, width, generator=generator) for width in (2, 1, 2))


def test_by_hand() -> None:
    """Of each discriminator: clamped, scaled, squashed; the mean of all of them in −log(1 − D)."""
    reward, (obs, action, next_obs) = made_up(), steps(3)
    logits = reward.discriminators.logits(obs, action, next_obs)
    for row in range(3):
        chances = []
        for k in range(4):
            low, high = float(reward.of_model[k]), float(reward.of_data[k])
            scaled = 0.0
            if high > low:
                scaled = 2 * (min(max(float(logits[k, row]), low), high) - low) / (high - low) - 1
            chances.append(torch.tensor(scaled).sigmoid())
        expected = -torch.log(1 - torch.stack(chances).mean())
        assert reward(obs, action, next_obs)[row].item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_is_bounded_and_needs_no_gradient() -> None:
    found = made_up()(*(100 * part for part in steps(500)))
    assert not found.requires_grad
    assert LOWEST - 1e-6 <= float(found.min()) < float(found.max()) <= HIGHEST + 1e-6


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made_up()(*steps(50))
    monkeypatch.setattr(dynamics_reward, "CPU_CHUNK", 7)
    torch.testing.assert_close(made_up()(*steps(50)), whole, rtol=1e-5, atol=1e-6)
    assert made_up()(*steps(0)).shape == (0,)


def test_what_is_not_a_number_has_no_reward() -> None:
    obs, action, next_obs = steps(3)
    next_obs[1, 0] = torch.nan
    assert made_up()(obs, action, next_obs).isnan().tolist() == [False, True, False]

from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from offline_envs.errors import SettingsError
from offline_envs.sb3 import COMBO, FastSAC
from offline_envs.sb3.fast_sac.policies import LayerNormPolicy
from tests.sb3.fast_sac.agents import MIXED, assert_same, double_precision, make, numbers, reloaded, trained

SMALL = {"net_arch": [12, 8], "n_critics": 3}


def sac_with_norms(**settings: Any) -> SAC:
    """SB3's SAC, which differentiates the same modules by autograd."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SAC.policy_aliases, "MlpPolicy", LayerNormPolicy)
        return make(SAC, **settings)


def test_critics_are_linear_norm_activation() -> None:
    """A critic computes what a network written out by hand does, with gains and shifts that matter."""
    agent = make(FastSAC, critic_layer_norm=True, policy_kwargs={"net_arch": [12]})
    network: Any = agent.critic.q_networks[1]
    first, norm, _, last = network
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    obs, action = torch.randn(5, 2), torch.randn(5, 1)
    product = torch.cat([obs, action], dim=1) @ first.weight.T + first.bias
    centred = product - product.mean(1, keepdim=True)
    normed = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    expected = (normed * norm.weight + norm.bias).relu() @ last.weight.T + last.bias
    torch.testing.assert_close(agent.critic(obs, action)[1], expected)
    assert not any(isinstance(module, nn.LayerNorm) for module in agent.actor.modules())


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_it_learns_what_sac_learns_with_the_same_critics(activation: type[nn.Module]) -> None:
    kwargs = {**SMALL, "activation_fn": activation}
    with double_precision():
        fast, slow = (
            make(FastSAC, critic_layer_norm=True, policy_kwargs=kwargs),
            sac_with_norms(policy_kwargs=kwargs),
        )
        assert_same(numbers(fast), numbers(slow))
        for agent in (fast, slow):
            agent.set_random_seed(3)
            agent.train(10, batch_size=16)
            agent.train(10, batch_size=16)
    gains = [name for name in numbers(fast) if name.startswith("policy critic_target.qf2.1")]
    assert len(gains) == 2
    assert_same(numbers(fast), numbers(slow), 1e-9)


def test_initial_weights_of_the_linear_layers_are_those_without_norms() -> None:
    normed, plain = make(FastSAC, critic_layer_norm=True), make(FastSAC)
    pairs = zip(*(_linear(agent.policy) for agent in (normed, plain)), strict=True)
    assert all(torch.equal(ours.weight, theirs.weight) for ours, theirs in pairs)


def _linear(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("after", [FastSAC, SAC])
def test_it_is_saved_and_training_resumes(after: type[SAC], tmp_path: Path) -> None:
    """A file names the class of its policy, so that SB3's own agent reads it."""
    with double_precision():
        agent = make(FastSAC, critic_layer_norm=True, policy_kwargs=SMALL)
        agent.train(3, batch_size=16)
        loaded = reloaded(agent, after, tmp_path / "agent.zip")
        assert type(loaded.policy) is LayerNormPolicy
        assert_same(numbers(loaded), numbers(agent))
        for each in (agent, loaded):
            each.set_random_seed(7)
            each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent), 0 if after is FastSAC else 1e-9)


def test_subclasses_have_it_too() -> None:
    agent = trained(COMBO, critic_layer_norm=True, **MIXED)
    assert type(agent.policy) is LayerNormPolicy
    assert all(value.isfinite().all() for value in numbers(agent).values())


def test_without_it_policies_are_sb3s_own() -> None:
    assert type(make(FastSAC).policy) is SACPolicy


def test_other_policies_are_refused() -> None:
    class Own(SACPolicy):
        pass

    settings: tuple[dict[str, Any], ...] = ({"critic_layer_norm": True}, {"actor_ema_decay": 0.9})
    for each in settings:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(FastSAC.policy_aliases, "MlpPolicy", Own)
            with pytest.raises(
                SettingsError, match=f"{next(iter(each))} needs 'MlpPolicy' as policy, got Own"
            ):
                make(FastSAC, **each)

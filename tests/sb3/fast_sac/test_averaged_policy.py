"""The average of the actor's weights: against a plain loop, and who acts by it and who does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC

from offline_envs.errors import SettingsError
from offline_envs.sb3 import COMBO, BehaviorCloner, FastSAC, SB3ActorCritic, current_policy
from offline_envs.sb3.fast_sac import fast_sac
from offline_envs.sb3.fast_sac.policies import AveragedLayerNormPolicy
from tests.fake_graph import use_fake_graphs
from tests.sb3.fast_sac.agents import MIXED, assert_same, make, numbers, reloaded, trained
from tests.sb3.toy import toy_transitions

FAST: dict[str, Any] = {"learning_rate": 0.05}
"""A rate at which the average lies well behind the actor."""

OBS = np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)


def actions(agent: Any) -> NDArray[Any]:
    return np.asarray(agent.predict(OBS, deterministic=True)[0])


def test_it_is_the_average_of_a_plain_loop() -> None:
    agent = make(FastSAC, actor_ema_decay=0.75, **FAST)
    policy: Any = agent.policy
    average = {name: value.clone() for name, value in policy.actor.state_dict().items()}
    for steps in (1, 1, 1, 0, 1):
        agent.train(steps, batch_size=16)
        for name, value in policy.actor.state_dict().items() if steps else ():
            average[name] = 0.75 * average[name] + 0.25 * value
    for name, value in policy.averaged_actor.state_dict().items():
        torch.testing.assert_close(value, average[name])
        assert not torch.equal(value, policy.actor.state_dict()[name])


def test_every_gradient_step_of_a_call_counts() -> None:
    once, apart = (make(FastSAC, actor_ema_decay=0.5, **FAST) for _ in range(2))
    for agent, calls in ((once, [4]), (apart, [1, 1, 1, 1])):
        agent.set_random_seed(3)
        for steps in calls:
            agent.train(steps, batch_size=16)
    assert_same(numbers(once), numbers(apart))


def test_training_is_the_same_with_and_without() -> None:
    averaged, plain = (numbers(trained(FastSAC, actor_ema_decay=decay)) for decay in (0.9, None))
    own = {name for name in averaged if "average" in name}
    assert own == averaged.keys() - plain.keys()
    assert_same({name: averaged[name] for name in plain}, plain)


def test_with_decay_0_it_is_the_actor() -> None:
    agent, plain = trained(FastSAC, actor_ema_decay=0.0, **FAST), trained(FastSAC, **FAST)
    np.testing.assert_array_equal(actions(agent), actions(plain))
    np.testing.assert_array_equal(actions(agent), actions(current_policy(agent)))


def test_deterministic_actions_are_the_averages_and_sampled_ones_the_actors() -> None:
    agent, plain = trained(FastSAC, actor_ema_decay=0.99, **FAST), trained(FastSAC, **FAST)
    current = current_policy(agent)
    np.testing.assert_array_equal(actions(current), actions(plain))
    assert abs(actions(agent) - actions(plain)).max() > 0.01
    assert current_policy(plain) is None
    torch.manual_seed(0)
    sampled = agent.predict(OBS, deterministic=False)[0]
    torch.manual_seed(0)
    np.testing.assert_array_equal(sampled, plain.predict(OBS, deterministic=False)[0])


def test_critics_are_asked_about_the_current_action() -> None:
    """An adversary of the model plays against the policy that learns."""
    agent, plain = trained(FastSAC, actor_ema_decay=0.99, **FAST), trained(FastSAC, **FAST)
    ours, theirs = (SB3ActorCritic(each).state_value(torch.as_tensor(OBS)) for each in (agent, plain))
    assert torch.equal(ours, theirs)


def test_a_cloned_policy_acts_at_once_and_is_where_the_average_starts() -> None:
    agent = make(FastSAC, actor_ema_decay=0.999)
    cloner = BehaviorCloner(agent, toy_transitions(), learning_rate=0.01)
    before = actions(agent)
    cloner.train(20)
    cloned = actions(agent)
    assert abs(cloned - before).max() > 0.01
    agent.train(1, batch_size=16)
    np.testing.assert_allclose(actions(agent), cloned, atol=1e-5)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_it_is_saved_and_training_resumes_exactly(tmp_path: Path, *, layer_norm: bool) -> None:
    agent = trained(FastSAC, actor_ema_decay=0.9, critic_layer_norm=layer_norm, **FAST)
    assert isinstance(agent.policy, AveragedLayerNormPolicy) == layer_norm
    loaded = reloaded(agent, FastSAC, tmp_path / "agent.zip")
    assert_same(numbers(loaded), numbers(agent))
    for each in (agent, loaded):
        each.set_random_seed(7)
        each.train(5, batch_size=16)
    assert_same(numbers(loaded), numbers(agent))
    np.testing.assert_array_equal(actions(loaded), actions(agent))


def test_sb3s_agent_and_policy_act_by_the_average_of_a_file(tmp_path: Path) -> None:
    agent = trained(FastSAC, actor_ema_decay=0.9, **FAST)
    agent.save(tmp_path / "agent.zip")
    agent.policy.save(str(tmp_path / "policy.pt"))
    for loaded in (
        SAC.load(tmp_path / "agent.zip", device="cpu"),
        type(agent.policy).load(str(tmp_path / "policy.pt"), device="cpu"),
    ):
        np.testing.assert_array_equal(actions(loaded), actions(agent))


def test_an_agent_that_moves_no_average_acts_by_what_it_learns(tmp_path: Path) -> None:
    """Fine-tuned by SB3's SAC it would act for ever as on the day it was saved."""
    agent = trained(FastSAC, actor_ema_decay=0.9, **FAST)
    loaded = reloaded(agent, SAC, tmp_path / "agent.zip")
    np.testing.assert_array_equal(actions(loaded), actions(agent))
    loaded.train(3, batch_size=16)
    np.testing.assert_array_equal(actions(loaded), actions(current_policy(loaded)))
    assert abs(actions(loaded) - actions(agent)).max() > 0.01

    again = reloaded(loaded, FastSAC, tmp_path / "tuned.zip")
    again.train(1, batch_size=16)  # a new average starts from the weights before this step
    before, after = actions(loaded), actions(current_policy(again))
    assert 0 < abs(actions(again) - before).max() < abs(after - before).max() / 2


def test_subclasses_have_it_too() -> None:
    agent = trained(COMBO, actor_ema_decay=0.9, **MIXED, **FAST)
    assert abs(actions(agent) - actions(current_policy(agent))).max() > 1e-3


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_other_decays_are_refused(decay: float) -> None:
    with pytest.raises(SettingsError, match=f"actor_ema_decay must be at least 0 and below 1, got {decay}"):
        make(FastSAC, actor_ema_decay=decay)


def test_its_captured_step_is_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The average moves outside the graph; layer norms are inside."""
    use_fake_graphs(monkeypatch)
    eager, captured = (make(FastSAC, actor_ema_decay=0.9, critic_layer_norm=True) for _ in range(2))
    eager.set_random_seed(3)
    eager.train(10, batch_size=16)
    captured.set_random_seed(3)
    monkeypatch.setattr(fast_sac, "captures", lambda device: True)
    captured.train(10, batch_size=16)
    assert captured._graphs
    assert_same(numbers(captured), numbers(eager))

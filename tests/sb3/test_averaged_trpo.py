"""TRPO's average: against a plain loop, and who acts by it and who does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sb3_contrib
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy

from offline_envs.errors import SettingsError
from offline_envs.sb3 import AveragedTRPO, BehaviorCloner, FastTRPO, SB3VecEnv, acting_policy, current_policy
from tests.sb3.toy import CountingVectorEnv, toy_transitions

OBS = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)
STEP = 64
"""Transitions of one step of the policy."""


def make(kind: type[FastTRPO] = AveragedTRPO, env: Any = "Pendulum-v1", **options: Any) -> Any:
    return kind("MlpPolicy", env, n_steps=STEP, batch_size=32, target_kl=0.1, seed=0, device="cpu", **options)


def trained(kind: type[FastTRPO] = AveragedTRPO, steps: int = 4, **options: Any) -> Any:
    return make(kind, **options).learn(steps * STEP)


def actions(agent: Any) -> NDArray[Any]:
    return np.asarray(agent.predict(OBS, deterministic=True)[0])


def own_weights(agent: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agent.policy.named_parameters()}


def test_it_is_the_average_of_a_plain_loop() -> None:
    agent = make(actor_ema_decay=0.75)
    average = own_weights(agent)
    for _ in range(4):
        agent.learn(STEP, reset_num_timesteps=False)
        for name, value in own_weights(agent).items():
            average[name] = 0.75 * average[name] + 0.25 * value
    found = dict(agent.policy.averaged.named_buffers())
    assert average.keys() <= found.keys()
    for name, value in average.items():
        torch.testing.assert_close(found[name], value)
    assert not torch.equal(found["action_net.weight"], own_weights(agent)["action_net.weight"])


def test_training_is_that_of_the_agent_without_it() -> None:
    averaged, same, plain = trained(actor_ema_decay=0.9), trained(), trained(FastTRPO)
    for agent in (averaged, same):
        for name, value in own_weights(plain).items():
            assert torch.equal(own_weights(agent)[name], value)
    assert same.policy.state_dict().keys() == plain.policy.state_dict().keys()


def test_with_decay_0_it_is_the_current_policy() -> None:
    agent = trained(actor_ema_decay=0.0)
    np.testing.assert_array_equal(actions(agent), actions(trained(FastTRPO)))


def test_deterministic_actions_are_the_averages_and_sampled_ones_the_current() -> None:
    agent, plain = trained(actor_ema_decay=0.99), trained(FastTRPO)
    np.testing.assert_array_equal(actions(current_policy(agent)), actions(plain))
    np.testing.assert_array_equal(actions(acting_policy(agent.policy)), actions(agent))
    assert abs(actions(agent) - actions(plain)).max() > 0.001
    assert current_policy(plain) is None
    assert acting_policy(plain.policy) is plain.policy
    torch.manual_seed(0)
    sampled = agent.predict(OBS, deterministic=False)[0]
    torch.manual_seed(0)
    np.testing.assert_array_equal(sampled, plain.predict(OBS, deterministic=False)[0])


def test_the_current_policy_follows_the_weights() -> None:
    agent = make(actor_ema_decay=0.99)
    current = current_policy(agent)
    before = actions(current)
    agent.learn(STEP)
    assert abs(actions(current) - before).max() > 0


def test_a_cloned_policy_acts_at_once_and_is_where_the_average_starts() -> None:
    obs = OBS[:, :2]
    agent = make(env=SB3VecEnv(CountingVectorEnv([9, 9])), actor_ema_decay=0.9999)
    before = agent.predict(obs, deterministic=True)[0]
    BehaviorCloner(agent, toy_transitions(), learning_rate=0.01).train(20)
    cloned = agent.predict(obs, deterministic=True)[0]
    assert abs(cloned - before).max() > 0.01
    agent.learn(STEP)
    np.testing.assert_allclose(agent.predict(obs, deterministic=True)[0], cloned, atol=1e-3)


def test_it_is_saved_with_the_agent(tmp_path: Path) -> None:
    agent = trained(actor_ema_decay=0.9)
    agent.save(tmp_path / "agent.zip")
    loaded = AveragedTRPO.load(tmp_path / "agent.zip", env=agent.get_env(), device="cpu")
    np.testing.assert_array_equal(actions(loaded), actions(agent))
    weights = loaded.policy.state_dict()
    for name, value in agent.policy.state_dict().items():
        assert torch.equal(weights[name], value)


def test_contribs_agent_and_the_policy_act_by_the_average_of_a_file(tmp_path: Path) -> None:
    agent = trained(actor_ema_decay=0.9)
    agent.save(tmp_path / "agent.zip")
    agent.policy.save(str(tmp_path / "policy.pt"))
    for loaded in (
        sb3_contrib.TRPO.load(tmp_path / "agent.zip", device="cpu"),
        type(agent.policy).load(str(tmp_path / "policy.pt"), device="cpu"),
    ):
        np.testing.assert_array_equal(actions(loaded), actions(agent))


def test_contribs_agent_acts_by_what_it_learns(tmp_path: Path) -> None:
    """It moves no average: the old one would choose its deterministic actions for ever."""
    agent = trained(actor_ema_decay=0.9)
    agent.save(tmp_path / "agent.zip")
    loaded = sb3_contrib.TRPO.load(tmp_path / "agent.zip", env=agent.get_env(), device="cpu")
    loaded.learn(STEP, reset_num_timesteps=False)
    np.testing.assert_array_equal(actions(loaded), actions(current_policy(loaded)))
    assert abs(actions(loaded) - actions(agent)).max() > 0.001


def test_choices_are_the_averages_too() -> None:
    agent = trained(env="CartPole-v1", actor_ema_decay=0.9)
    obs = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    found, current = agent.predict(obs, deterministic=True)[0], current_policy(agent)
    assert current is not None
    assert (found != current.predict(obs, deterministic=True)[0]).any()


def test_the_average_is_where_the_policy_is() -> None:
    policy = make(actor_ema_decay=0.9).policy
    assert policy.averaged.device == policy.device == torch.device("cpu")
    moved = policy.to("meta")
    assert moved.averaged.device == moved.device == torch.device("meta")


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_other_decays_are_refused(decay: float) -> None:
    with pytest.raises(SettingsError, match=f"actor_ema_decay must be at least 0 and below 1, got {decay}"):
        make(actor_ema_decay=decay)


def test_other_policies_are_refused() -> None:
    class Own(ActorCriticPolicy):
        pass

    with pytest.raises(SettingsError, match="actor_ema_decay needs 'MlpPolicy' as policy, got Own"):
        AveragedTRPO(Own, "Pendulum-v1", actor_ema_decay=0.5)


def test_gsde_is_refused_with_an_average() -> None:
    with pytest.raises(SettingsError, match="actor_ema_decay needs use_sde=False"):
        make(actor_ema_decay=0.9, use_sde=True)

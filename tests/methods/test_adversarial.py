from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from tests.toy import counting_ensemble, toy_options


def make(env_id: str, **options: Any) -> Any:
    return gym.make_vec(env_id, num_envs=3, output="torch", **toy_options(**options))


def steps_of(envs: Any, n_steps: int = 6) -> list[torch.Tensor]:
    envs.reset(seed=0)
    return [torch.cat([x.reshape(-1) for x in envs.step(torch.zeros(3, 1))[:2]]) for _ in range(n_steps)]


def test_it_steps_as_the_plain_model_does() -> None:
    for ours, theirs in zip(
        steps_of(make("AdversarialModel-v0")), steps_of(make("LearnedModel-v0")), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("make_env", [gym.make, gym.make_vec])
def test_steps_see_changed_weights_and_nobody_else_does(make_env: Any) -> None:
    model = counting_ensemble()  # it pays 1 a step
    options = toy_options(model=model)
    changed, other = (make_env("AdversarialModel-v0", **options) for _ in range(2))
    plain = make_env("LearnedModel-v0", **options)
    ensemble = changed.unwrapped.ensemble
    with torch.no_grad():
        ensemble.heads[0].bias[:, :, 0] -= 3.0
    for env, reward in ((changed, -2.0), (other, 1.0), (plain, 1.0)):
        env.reset(seed=0)
        action = np.zeros(env.action_space.shape, np.float32)
        np.testing.assert_allclose(env.step(action)[1], reward, atol=1e-4)
    assert float(model.get_parameter("heads.0.bias")[0, 0, 0]) == 1.0


def test_its_ensemble_takes_gradients_and_the_shared_one_does_not() -> None:
    options = toy_options()
    envs = make("AdversarialModel-v0", **options)
    assert all(parameter.requires_grad for parameter in envs.unwrapped.ensemble.parameters())
    assert not any(parameter.requires_grad for parameter in options["model"].parameters())
    assert envs.unwrapped.mdp.members.model is envs.unwrapped.ensemble
    assert envs.unwrapped.ensemble.elites.tolist() == options["model"].elites.tolist()

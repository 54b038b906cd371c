"""Any function or module as a model, in every environment."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import offline_envs  # noqa: F401  registers the environments
from offline_envs.dynamics import FunctionModel, cache_folder, is_dynamics_model, save_model
from offline_envs.errors import SettingsError
from offline_envs.wrappers import UncertaintyPenalty
from tests.toy import toy_options, toy_transitions


def pushed(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Both observations move by the action; the reward is its negative square."""
    return obs + action, -(action[:, 0] ** 2)


def pushed_arrays(obs: Any, action: Any) -> tuple[Any, Any]:
    """The same, with what only arrays have."""
    return np.add(obs, action).copy(order="C"), -(action.astype(np.float64)[:, 0] ** 2)


def pushed_apart(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Three members, which add 0, 1 and 2 to the first observation."""
    next_obs = (obs + action).expand(3, -1, -1).clone()
    next_obs[..., 0] += torch.arange(3.0)[:, None]
    return next_obs, -(action[:, 0] ** 2)


def noisily_pushed(obs: Tensor, action: Tensor) -> tuple[Normal, Tensor]:
    return Normal(obs + action, 0.5), -(action[:, 0] ** 2)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.drop = nn.Linear(3, 3), nn.Dropout(0.9)

    def forward(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        found = self.drop(self.layer(torch.cat([obs, action], dim=-1)))
        return found[:, :2], found[:, 2]


OBS, ACTION = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]), torch.tensor([[0.5], [-0.5], [0.0]])


@pytest.mark.parametrize("function", [pushed, pushed_arrays])
def test_a_function_of_tensors_or_arrays(function: Any) -> None:
    model = FunctionModel(function, 2, 1)
    assert is_dynamics_model(model)
    mean, std = model.predict(OBS, ACTION)
    assert mean.tolist() == [[[-0.25, 0.5, 0.5], [-0.25, -0.5, -0.5], [0.0, 0.0, 0.0]]]
    assert (mean.dtype, std.any().item()) == (torch.float32, False)
    assert (model.n_members, model.n_elites, model.probabilistic) == (1, 1, False)


def test_members_and_distributions() -> None:
    apart = FunctionModel(pushed_apart, 2, 1, elites=(2, 0))
    assert (apart.n_members, apart.n_elites, apart.elites.tolist()) == (3, 2, [2, 0])
    assert apart.predict(OBS, ACTION).mean[:, 0].tolist() == [[-0.25, 0.5 + i, 0.5] for i in range(3)]
    assert apart.predict(OBS, ACTION, torch.tensor([2])).mean[:, 0].tolist() == [[-0.25, 2.5, 0.5]]
    noisy = FunctionModel(noisily_pushed, 2, 1)
    assert noisy.probabilistic
    assert noisy.predict(OBS, ACTION).std[0].tolist() == [[0.0, 0.5, 0.5]] * 3


def test_a_module_is_evaluated_not_trained() -> None:
    net = Net()
    model = FunctionModel(net, 2, 1)
    first, again = (model.predict(OBS, ACTION).mean for _ in range(2))
    assert torch.equal(first, again)
    assert not first.requires_grad
    expected = net.layer(torch.cat([OBS, ACTION], dim=-1)).detach()
    torch.testing.assert_close(first[0, :, 0], expected[:, 2])
    torch.testing.assert_close(first[0, :, 1:], expected[:, :2] - OBS)
    copy = model.copy()
    net.layer.weight.data.zero_()
    assert torch.equal(copy.predict(OBS, ACTION).mean, first)


def test_a_function_that_changes_its_input_changes_nothing_else() -> None:
    """An environment gives it its own state."""

    def adds(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        obs += action
        return obs, obs[:, 0]

    obs = OBS.clone()
    assert FunctionModel(adds, 2, 1).predict(obs, ACTION).mean[0, 0].tolist() == [1.5, 0.5, 0.5]
    assert torch.equal(obs, OBS)


@pytest.mark.parametrize("model", [pushed, pushed_arrays, FunctionModel(pushed, 2, 1)])
def test_an_environment_steps_it(model: Any) -> None:
    env = gym.make("LearnedModel-v0", **toy_options(model=model))
    env.reset(seed=0, options={"obs": np.array([1.0, 2.0], np.float32)})
    obs, reward, *_ = env.step(np.array([0.5], np.float32))
    assert (obs.tolist(), reward) == ([1.5, 2.5], -0.25)
    options = toy_options(model=model, autoreset_mode="Disabled")
    envs = gym.make_vec("LearnedModel-v0", num_envs=1500, **options)
    envs.reset(seed=0, options={"obs": np.ones((1500, 2), np.float32)})
    obs, rewards, *_ = envs.step(np.full((1500, 1), 0.5, np.float32))
    assert (obs == 1.5).all()
    assert (rewards == -0.25).all()


def test_penalties_and_halts_compare_its_members() -> None:
    """Members are at most 2 apart, and each elite is drawn."""
    options = toy_options(model=pushed_apart)
    env: Any = gym.make("PenalizedModel-v0", penalty="max_disagreement", penalty_coef=3.0, **options)
    moved = set()
    for seed in range(20):
        env.reset(seed=seed, options={"obs": np.zeros(2, np.float32)})
        obs, *_, info = env.step(np.zeros(1, np.float32))
        moved.add(float(obs[0]))
        assert info["penalty"] == pytest.approx(6.0)
    assert moved == {0.0, 1.0, 2.0}
    halting: Any = gym.make("PessimisticModel-v0", units="raw", threshold={"max_over": 2.0}, **options)
    halting.reset(seed=0)
    assert halting.step(np.zeros(1, np.float32))[4]["halted"]
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]  # nothing identifies a function


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFLINE_ENVS_CACHE", str(tmp_path / "cache"))


def test_noise_is_drawn_by_the_environment() -> None:
    options = toy_options(model=noisily_pushed, autoreset_mode="SameStep")
    envs = gym.make_vec("LearnedModel-v0", num_envs=5000, **options)
    envs.reset(seed=0, options={"obs": np.zeros((5000, 2), np.float32)})
    final = envs.step(np.zeros((5000, 1), np.float32))[4]["final_obs"]
    assert final.std() == pytest.approx(0.5, rel=0.02)
    wrapped = UncertaintyPenalty(gym.make("LearnedModel-v0", **toy_options(model=noisily_pushed)))
    wrapped.reset(seed=0)
    assert wrapped.step(np.zeros(1, np.float32))[4]["penalty"] == pytest.approx(0.5 * 2**0.5)


def test_what_it_cannot_do_is_refused(tmp_path: Path) -> None:
    for changes, message in (
        ({"id": "PenalizedModel-v0"}, "needs members that predict a variance"),
        ({"id": "PessimisticModel-v0"}, "at least two members"),
        ({"id": "AdversarialModel-v0"}, "by its gradients, got FunctionModel"),
    ):
        with pytest.raises(SettingsError, match=message):
            gym.make(**toy_options(model=pushed, **changes))
    with pytest.raises(SettingsError, match=r"no saved form, got pushed\. To save it, write a class"):
        save_model(tmp_path / "model", FunctionModel(pushed, 2, 1), transitions=toy_transitions())
    with pytest.raises(SettingsError, match="cannot be read from a file"):
        FunctionModel.from_card({}, {})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda obs, action: obs, r"must return \(next_obs, reward\), got Tensor"),
        (lambda obs, action: (obs, action), r"reward .* must have shape \(7,\), .* got \(7, 1\)"),
        (
            lambda obs, action: (obs[:, :1], obs[:, 0]),
            r"next_obs .* must have shape \(7, 2\), .* got \(7, 1\)",
        ),
        (lambda obs, action: (obs, "much"), "reward .* must be a tensor, array or distribution, got str"),
        (lambda obs, action: obs @ action, r"must take obs \(7, 2\) and action \(7, 1\), .* got "),
        (
            lambda obs, action: (obs.expand(3, *obs.shape), obs.new_zeros(2, len(obs))),
            "as many members, got 3 and 2",
        ),
        (lambda obs: obs, "must take obs .* got TypeError"),
    ],
)
def test_a_function_of_other_shapes_is_refused_at_once(function: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gym.make("LearnedModel-v0", **toy_options(model=function))


def test_rewards_that_were_broadcast_by_mistake_are_no_members() -> None:
    def slip(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        return obs, -(obs[:, :1] ** 2) - action[:, 0] ** 2  # (B, 1) and (B,): (B, B)

    with pytest.raises(SettingsError, match=r"got 7 for 7 rows and 5 for 5\. A sum of shapes \(B, 1\) and"):
        FunctionModel(slip, 2, 1)


def test_members_stay_as_many() -> None:
    def fewer(obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        n = 2 if len(obs) == 3 else 4
        return obs.expand(n, *obs.shape), obs[:, 0] + action[:, 0]

    model = FunctionModel(fewer, 2, 1)
    with pytest.raises(SettingsError, match="4 as at first, got 2 for 3 rows"):
        model.predict(torch.zeros(3, 2), torch.zeros(3, 1))


def test_elites_are_members() -> None:
    with pytest.raises(SettingsError, match=r"elites must be some of 3 members, got \(3,\)"):
        FunctionModel(pushed_apart, 2, 1, elites=(3,))

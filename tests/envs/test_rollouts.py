from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv
from torch import Tensor

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import Rollout, imagine, rollout
from offline_envs.errors import SettingsError
from offline_envs.methods.halt_counter import CHECK_EVERY
from offline_envs.wrappers.vector import UncertaintyPenalty
from tests.toy import counting_ensemble, halting_options, right_of_six, spreading_ensemble, toy_options

N, HORIZON = 50, 6

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("LearnedModel-v0", toy_options()),
    "ending": ("LearnedModel-v0", toy_options(termination=right_of_six)),
    "one member an episode": ("LearnedModel-v0", toy_options(member="episode", termination=right_of_six)),
    "penalised": ("PenalizedModel-v0", toy_options(termination=right_of_six, penalty="max_disagreement")),
    "pessimistic": ("PessimisticModel-v0", halting_options(start="dataset")),
    "adversarial": ("AdversarialModel-v0", toy_options(termination=right_of_six)),
}


def make(name: str, num_envs: int = N, **changes: Any) -> Any:
    env_id, options = MODELS[name]
    return gym.make_vec(env_id, num_envs=num_envs, **{"autoreset_mode": "SameStep", **options, **changes})


def lean(obs: Tensor) -> Tensor:
    """A policy that looks at where it is."""
    return torch.tanh(obs[:, :1] - obs[:, 1:])


def by_hand(envs: Any, policy: Callable[[Tensor], Tensor], n_steps: int, seed: int) -> Rollout:
    """The same steps through the environment's own methods, in NumPy."""
    obs, _ = envs.reset(seed=seed)
    columns: list[tuple[Any, ...]] = []
    for _ in range(n_steps):
        action = policy(torch.from_numpy(obs)).numpy()
        next_obs, reward, terminated, truncated, infos = envs.step(action)
        columns.append((obs, action, reward, infos["final_obs"], terminated, truncated))
        obs = next_obs
    return Rollout(*(torch.from_numpy(np.stack(column)) for column in zip(*columns, strict=True)))


def assert_same(one: Rollout, other: Rollout) -> None:
    for name, a, b in zip(Rollout._fields, one, other, strict=True):
        assert a.dtype == b.dtype, name
        assert torch.equal(a, b), name


@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_stepping_by_hand(name: str) -> None:
    expected = by_hand(make(name, max_episode_steps=HORIZON), lean, HORIZON, seed=3)
    found = rollout(lean, N, HORIZON, within=make(name, num_envs=1, autoreset_mode="Disabled"), seed=3)
    assert_same(found, expected)
    assert bool(found.truncated.any()) == (name != "pessimistic")  # halts within four steps
    assert bool(found.terminated.any()) == (name != "plain")


def test_transitions_by_hand() -> None:
    """From obs (t, e) each step adds 1 to t with reward 1; beyond 6 the row restarts."""
    envs = gym.make_vec(
        "LearnedModel-v0", 1, **toy_options(model=counting_ensemble(), termination=right_of_six)
    )
    steps = rollout(lambda obs: torch.zeros(len(obs), 1), 3, 9, within=envs, seed=0)
    assert [tuple(field.shape) for field in steps] == [
        (9, 3, 2),
        (9, 3, 1),
        (9, 3),
        (9, 3, 2),
        (9, 3),
        (9, 3),
    ]
    ones = torch.ones(9, 3)
    torch.testing.assert_close(steps.reward, ones, atol=1e-4, rtol=0)
    torch.testing.assert_close(steps.next_obs[..., 0] - steps.obs[..., 0], ones, atol=1e-4, rtol=0)
    assert torch.equal(steps.terminated, steps.next_obs[..., 0] > 6)
    over, goes_on = steps.terminated[:-1], ~steps.terminated[:-1]
    assert bool(over.any())
    assert torch.equal(steps.obs[1:][goes_on], steps.next_obs[:-1][goes_on])
    assert bool((steps.obs[1:][over][:, 0] <= 2).all())  # a state of the dataset again
    assert not steps.truncated.any()  # from t ≤ 2 a row terminates after seven steps or fewer


def test_a_row_is_truncated_at_the_horizon_of_its_own_episode() -> None:
    envs = gym.make_vec("LearnedModel-v0", 1, **toy_options(model=counting_ensemble()))
    steps = rollout(lean, 4, 3, within=envs)
    assert steps.truncated.tolist() == [[False] * 4, [False] * 4, [True] * 4]
    assert not steps.terminated.any()


def test_a_seed_is_a_rollout_and_the_environment_stays_where_it_was() -> None:
    envs = make("penalised", num_envs=5, output="torch")
    obs, _ = envs.reset(seed=1)
    one, same, other, unseeded = (rollout(lean, N, 2, within=envs, seed=seed) for seed in (0, 0, 1, None))
    assert_same(one, same)
    assert not torch.equal(one.next_obs, other.next_obs)
    assert not torch.equal(one.next_obs, unseeded.next_obs)
    assert torch.equal(envs.unwrapped.obs, obs)
    expected = make("penalised", num_envs=5, output="torch")
    expected.reset(seed=1)
    assert torch.equal(envs.step(lean(obs))[0], expected.step(lean(obs))[0])


def test_imagining_goes_on_where_the_environment_stands() -> None:
    envs = make("pessimistic", output="torch", max_episode_steps=4)
    envs.reset(seed=2)
    parts = []
    for n_steps in (3, 1, 7):
        steps = imagine(lean, envs)
        parts.append(Rollout.stack(next(steps) for _ in range(n_steps)))
    whole = Rollout(*(torch.cat(fields) for fields in zip(*parts, strict=True)))
    assert_same(whole, by_hand(make("pessimistic", max_episode_steps=4), lean, 11, seed=2))


def test_wrappers_are_stepped_too() -> None:
    torches, arrays = (
        UncertaintyPenalty(make("ending", output=output, max_episode_steps=3))
        for output in ("torch", "numpy")
    )
    torches.reset(seed=0)
    steps = imagine(lean, torches)
    found = Rollout.stack(next(steps) for _ in range(5))
    assert_same(found, by_hand(arrays, lean, 5, seed=0))


def test_nothing_that_was_returned_is_written_to_again() -> None:
    envs = make("ending", output="torch")
    envs.reset(seed=0)
    steps = imagine(lean, envs)
    first = next(steps)
    copies = Rollout(*(field.clone() for field in first))
    for _ in range(5):
        next(steps)
    assert_same(first, copies)


def test_a_policy_may_reuse_its_memory() -> None:
    memory = torch.empty(N, 1)
    found = rollout(lambda obs: memory.copy_(lean(obs)), N, 4, within=make("penalised"), seed=0)
    assert_same(found, rollout(lean, N, 4, within=make("penalised"), seed=0))


def test_a_policy_of_parameters_gets_no_gradients() -> None:
    policy = torch.nn.Linear(2, 1)
    steps = rollout(policy, 3, 2, within=make("adversarial"), seed=0)
    assert not any(field.requires_grad for field in steps)


def test_the_halts_of_a_rollout_are_judged() -> None:
    envs = gym.make_vec("PessimisticModel-v0", 1, **halting_options(model=spreading_ensemble()))
    with pytest.warns(UserWarning, match="almost every episode leaves"):
        rollout(lean, 5, 2 * CHECK_EVERY, within=envs, seed=0)


def test_what_cannot_be_rolled_out_is_refused() -> None:
    real = SyncVectorEnv([lambda: gym.make("Pendulum-v1")])
    with pytest.raises(SettingsError, match="needs a learned environment of"):
        rollout(lean, 3, 2, within=real)
    real.close()
    with pytest.raises(SettingsError, match="would bypass the wrapper UncertaintyPenalty"):
        rollout(lean, 3, 2, within=UncertaintyPenalty(make("plain")))
    with pytest.raises(SettingsError, match="horizon must be at least 1, got 0"):
        rollout(lean, 3, 0, within=make("plain"))
    with pytest.raises(SettingsError, match="n must be at least 1, got 0"):
        rollout(lean, 0, 2, within=make("plain"))
    with pytest.raises(SettingsError, match=r"horizon must be of type int, got 2\.5"):
        rollout(lean, 3, 2.5, within=make("plain"))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="must return a tensor, got ndarray"):
        rollout(lambda obs: obs.numpy(), 3, 2, within=make("plain"))
    with pytest.raises(SettingsError, match=r"actions must have shape \(3, 1\), got \(3, 2\)"):
        rollout(lambda obs: obs, 3, 2, within=make("plain"))
    with pytest.raises(SettingsError, match="got output='numpy' and autoreset_mode='SameStep'"):
        imagine(lean, make("plain"))
    with pytest.raises(SettingsError, match="got output='torch' and autoreset_mode='NextStep'"):
        imagine(lean, make("plain", output="torch", autoreset_mode="NextStep"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", MODELS)
def test_the_host_waits_for_no_step_on_a_gpu(name: str) -> None:
    envs = make(name, device="cuda", output="torch", max_episode_steps=3)
    envs.reset(seed=0)
    steps = imagine(lean, envs)
    next(steps)  # what libraries set up once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = Rollout.stack(next(steps) for _ in range(5))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert {field.device.type for field in found} == {"cuda"}
    assert bool(found.next_obs.isfinite().all())

"""The state of a vector environment: another one that loads it goes the same way."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.errors import SettingsError
from offline_envs.sb3 import SB3VecEnv
from tests.sb3.toy import CountingVectorEnv

DEMO = "offline-envs/inverteddoublependulum-replay-v0"
IDS = ["LearnedModel-v0", "PenalizedModel-v0", "PessimisticModel-v0", "AdversarialModel-v0"]


def make(env_id: str, model: Path, n: int = 5, **options: Any) -> Any:
    options |= {"kappa": 1.0} if env_id == "PessimisticModel-v0" else {}
    return gym.make_vec(
        env_id, n, dataset=DEMO, model=model, max_episode_steps=4, step_infos=True, progress=False, **options
    )


def steps(envs: Any, n: int, seed: int) -> list[Any]:
    actions = np.random.default_rng(seed).uniform(-1, 1, (n, envs.num_envs, 1)).astype(np.float32)
    found = []
    for action in actions:
        *arrays, infos = envs.step(action)
        found.append([array.tolist() for array in (*arrays, *infos.values())])
    return found


@pytest.mark.parametrize("env_id", IDS)
def test_the_future_is_the_same(env_id: str, tiny_model: Path) -> None:
    """Saved within episodes, which keep their members there, and with the counts of halts."""
    first, second = (make(env_id, tiny_model, autoreset_mode="SameStep") for _ in range(2))
    first.reset(seed=3)
    steps(first, 6, seed=0)
    state = first.unwrapped.state_dict()
    expected = steps(first, 9, seed=1)
    second.unwrapped.load_state_dict(state)
    assert steps(second, 9, seed=1) == expected
    for name, value in first.unwrapped.state_dict().items():
        assert value.tolist() == second.unwrapped.state_dict()[name].tolist(), name


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("env_id", IDS)
def test_the_future_is_the_same_whenever_it_is_saved(env_id: str, output: str, tiny_model: Path) -> None:
    """With next-step autoreset, the default: right after a reset, and where ended rows wait for theirs.

    Without those rows the other environment stepped on in episodes that were over.
    """
    first, second = (make(env_id, tiny_model, output=output) for _ in range(2))
    first.reset(seed=3)
    second.reset(seed=4)
    waiting = []
    for time in range(6):
        state = first.unwrapped.state_dict()
        waiting.append(int(state["finished"].sum()) if "finished" in state else None)
        expected = steps(first, 6, seed=time)
        second.unwrapped.load_state_dict(state)
        assert steps(second, 6, seed=time) == expected
        first.unwrapped.load_state_dict(state)
        steps(first, 1, seed=time)
    assert waiting[0] is None
    assert max(filter(None, waiting)) > 0


def test_rows_wait_in_a_state_without_them(tiny_model: Path) -> None:
    """As earlier versions wrote it."""
    envs = make("LearnedModel-v0", tiny_model)
    envs.reset(seed=3)
    steps(envs, 4, seed=0)
    state = envs.unwrapped.state_dict()
    del state["finished"]
    assert state["over"].all()  # at the limit, if not before
    expected = steps(envs, 3, seed=1)
    envs.unwrapped.load_state_dict(state)
    found = steps(envs, 3, seed=1)
    assert found == expected
    assert found[0][1] == [0.0] * 5


def test_rows_that_wait_are_not_stepped_in_another_mode(tiny_model: Path) -> None:
    envs = make("LearnedModel-v0", tiny_model)
    envs.reset(seed=3)
    steps(envs, 4, seed=0)
    for mode in ("SameStep", "Disabled"):
        other = make("LearnedModel-v0", tiny_model, autoreset_mode=mode)
        other.unwrapped.load_state_dict(envs.unwrapped.state_dict())
        with pytest.raises(gym.error.ResetNeeded):
            steps(other, 1, seed=1)
        other.reset(seed=0)
        steps(other, 1, seed=1)


def test_the_state_is_a_copy(tiny_model: Path) -> None:
    envs = make("PessimisticModel-v0", tiny_model)
    envs.reset(seed=3)
    state = envs.unwrapped.state_dict()
    before = {name: value.tolist() for name, value in state.items()}
    steps(envs, 3, seed=0)
    assert {name: value.tolist() for name, value in state.items()} == before


def test_state_of_another_environment_is_refused(tiny_model: Path) -> None:
    envs = make("LearnedModel-v0", tiny_model)
    with pytest.raises(gym.error.ResetNeeded):
        envs.unwrapped.state_dict()
    envs.reset(seed=3)
    other = make("LearnedModel-v0", tiny_model, n=6).unwrapped
    message = r"obs must have shape \(6, 9\), got \(5, 9\)"
    with pytest.raises(SettingsError, match=message):
        other.load_state_dict(envs.unwrapped.state_dict())
    with pytest.raises(SettingsError, match="got None"):
        other.load_state_dict({})


def test_state_of_another_method_is_refused_before_anything_is_overwritten(tiny_model: Path) -> None:
    plain, halting = (make(name, tiny_model) for name in ("LearnedModel-v0", "PessimisticModel-v0"))
    plain.reset(seed=3)
    halting.reset(seed=4)
    before = halting.unwrapped.state_dict()
    with pytest.raises(SettingsError, match=r"of another environment: it lacks monitor\.halted"):
        halting.unwrapped.load_state_dict(plain.unwrapped.state_dict())
    for name, value in halting.unwrapped.state_dict().items():
        assert value.tolist() == before[name].tolist(), name


def test_the_statistics_of_episodes_belong_to_it(tiny_model: Path) -> None:
    first, second = (SB3VecEnv(make("LearnedModel-v0", tiny_model)) for _ in range(2))
    first.seed(0)
    first.reset()
    actions = np.zeros((5, 1), np.float32)
    first.step(actions)
    first.step(actions)
    second.load_state_dict(first.state_dict())
    ended = []
    for _ in range(2):
        ours, theirs = (
            [
                (info["episode"]["r"], info["episode"]["l"])
                for info in vec_env.step(actions)[-1]
                if "episode" in info
            ]
            for vec_env in (first, second)
        )
        assert ours == theirs
        ended += theirs
    assert any(length > 2 for _, length in ended)  # begun before the state was taken


def test_only_learned_environments_have_one() -> None:
    with pytest.raises(SettingsError, match="needs a learned environment"):
        SB3VecEnv(CountingVectorEnv([9, 9], horizon=2)).state_dict()


@pytest.mark.parametrize("order", [("step", "episode"), ("episode", "step")])
def test_a_state_of_another_member_is_refused(order: tuple[str, str], tiny_model: Path) -> None:
    """An environment that draws an elite at each step would keep those of the state for good."""
    saved, loading = (make("LearnedModel-v0", tiny_model, member=member) for member in order)
    saved.reset(seed=0)
    loading.reset(seed=0)
    with pytest.raises(SettingsError, match=r"Make it with the same member=\."):
        loading.unwrapped.load_state_dict(saved.unwrapped.state_dict())

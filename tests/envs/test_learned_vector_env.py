from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from hypothesis import given, settings
from hypothesis import strategies as st

import offline_envs  # noqa: F401  registers the environments
from offline_envs.errors import SettingsError
from offline_envs.mdp import mdp
from tests.toy import counting_ensemble, right_of_six, toy_options, toy_transitions

N = 4
ACTIONS = np.zeros((N, 1), np.float32)
MODES = ["SameStep", "NextStep", "Disabled"]
IDS = ["LearnedModel-v0", "PenalizedModel-v0"]


def make(env_id: str = "LearnedModel-v0", num_envs: int = N, **changes: Any) -> Any:
    return gym.make_vec(env_id, num_envs=num_envs, **toy_options(**{"autoreset_mode": "SameStep", **changes}))


def flat(values: Any) -> list[np.ndarray]:
    """Everything that a reset or a step returned, as a list of arrays."""
    if isinstance(values, dict):
        return [array for name in sorted(values) for array in flat(values[name])]
    if isinstance(values, tuple):
        return [array for value in values for array in flat(value)]
    return [np.asarray(values)]


def play(envs: Any, *, n_steps: int = 12, seed: int = 0, disabled: bool = False) -> list[np.ndarray]:
    arrays = flat(envs.reset(seed=seed))
    for _ in range(n_steps):
        step = envs.step(ACTIONS)
        arrays += flat(step)
        if disabled:
            arrays += flat(envs.reset(options={"reset_mask": step[2] | step[3]}))
    return arrays


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", IDS)
def test_numpy_and_torch_outputs_hold_the_same_numbers(env_id: str, mode: str) -> None:
    options: dict[str, Any] = {"autoreset_mode": mode, "step_infos": True, "termination": right_of_six}
    numbers = [
        play(make(env_id, output=output, **options), disabled=mode == "Disabled")
        for output in ("numpy", "torch")
    ]
    assert len(numbers[0]) == len(numbers[1])
    assert all(np.array_equal(a, b) for a, b in zip(*numbers, strict=True))


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_types_shapes_and_infos(output: str) -> None:
    kind: type = np.ndarray if output == "numpy" else torch.Tensor
    envs = make("PenalizedModel-v0", output=output)
    obs, infos = envs.reset(seed=0)
    assert isinstance(obs, kind)
    assert infos == {}
    obs, *outcome, infos = envs.step(ACTIONS)
    assert set(infos) == {"final_obs", "_final_obs"}
    assert all(isinstance(value, kind) for value in (obs, *outcome, *infos.values()))
    assert [str(value.dtype).removeprefix("torch.") for value in (obs, *outcome)] == [
        "float32",
        "float32",
        "bool",
        "bool",
    ]
    assert [tuple(value.shape) for value in (obs, *outcome)] == [(N, 2), (N,), (N,), (N,)]
    envs = make("PenalizedModel-v0", output=output, step_infos=True)
    envs.reset(seed=0)
    infos = envs.step(ACTIONS)[4]
    assert set(infos) == {"final_obs", "_final_obs", "raw_reward", "penalty", "exploded"}
    assert all(isinstance(value, kind) for value in infos.values())


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_returned_buffers_are_never_written_again(mode: str, output: str) -> None:
    envs = make(
        "PenalizedModel-v0", autoreset_mode=mode, output=output, step_infos=True, max_episode_steps=100
    )
    kept = [envs.reset(seed=0), *(envs.step(ACTIONS) for _ in range(10))]
    before = [array.copy() for values in kept for array in flat(values)]
    for _ in range(10):
        envs.step(ACTIONS)
    envs.reset(options={"reset_mask": np.array([True, False, True, False])})
    after = [array for values in kept for array in flat(values)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("mode", MODES)
def test_a_caller_may_write_to_what_was_returned(mode: str, output: str) -> None:
    numbers = []
    for spoil in (False, True):
        envs = make("PenalizedModel-v0", autoreset_mode=mode, output=output, max_episode_steps=100)
        returned: Any = envs.reset(seed=0)
        for _ in range(5):
            if spoil:
                for array in flat(returned):
                    array[...] = 1
            returned = envs.step(ACTIONS)
        numbers.append([array.copy() for array in flat(returned)])
    assert all(np.array_equal(a, b) for a, b in zip(*numbers, strict=True))


def test_obs_is_a_copy_of_where_the_rows_stand() -> None:
    """A rollout keeps it as what came before a step, which moves the rows in place."""
    envs = make(output="torch").unwrapped
    with pytest.raises(ResetNeeded):
        _ = envs.obs
    first, _ = envs.reset(seed=0)
    before = envs.obs
    assert torch.equal(before, first)
    after = envs.step(ACTIONS)[0]
    assert torch.equal(before, first)
    assert torch.equal(envs.obs, after)
    assert not torch.equal(before, after)


@pytest.mark.parametrize("name", ["exploded", "replaced"])
def test_flags_of_the_last_step_are_copies(name: str) -> None:
    envs = make(output="torch").unwrapped
    envs.reset(seed=0)
    flags = {"exploded": "exploded", "replaced": "reward_replaced"}[name]
    before = getattr(envs, flags)
    getattr(envs._episodes, name).fill_(True)
    assert not before.any()
    assert getattr(envs, flags).all()


def test_nothing_returned_by_one_step_shares_memory() -> None:
    envs = make(step_infos=True)
    envs.reset(seed=0)
    arrays = flat(envs.step(ACTIONS))
    for i, first in enumerate(arrays):
        assert not any(np.shares_memory(first, second) for second in arrays[i + 1 :])


def test_same_seed_gives_the_same_numbers_whatever_else_ran() -> None:
    first = play(make())
    torch.randn(7)
    assert all(np.array_equal(a, b) for a, b in zip(first, play(make()), strict=True))
    envs = make()
    envs.reset(seed=99)
    assert all(np.array_equal(a, b) for a, b in zip(first, play(envs), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, play(make(), seed=1), strict=True))


def test_unseeded_environments_differ() -> None:
    first, second = (make(num_envs=64).reset()[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_batch_of_1000_does_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = []
    for chunk in (1000, 37):
        monkeypatch.setattr(mdp, "CPU_CHUNK", chunk)
        envs = make("PenalizedModel-v0", num_envs=1000)
        envs.reset(seed=0)
        numbers.append(flat(envs.step(np.zeros((1000, 1), np.float32))))
    for a, b in zip(*numbers, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=N, max_size=N), min_size=1, max_size=6))
def test_reset_mask_restarts_its_rows_and_no_other(masks: list[list[bool]]) -> None:
    envs = make(model=counting_ensemble(), autoreset_mode="Disabled", max_episode_steps=-1, start="initial")
    envs.reset(seed=0)
    elapsed = np.zeros(N)
    for rows in masks:
        obs, *_ = envs.step(ACTIONS)
        elapsed += 1
        mask = np.array(rows)
        after, infos = envs.reset(options={"reset_mask": mask})
        elapsed[mask] = 0
        assert infos == {}
        assert np.array_equal(after[~mask], obs[~mask])
        assert after[:, 0] == pytest.approx(elapsed, abs=1e-4)
        assert envs.unwrapped._episodes.elapsed.tolist() == elapsed.tolist()


def test_reset_mask_uses_only_its_rows_of_the_given_obs() -> None:
    envs = make(autoreset_mode="Disabled")
    first, _ = envs.reset(seed=0)
    mask = torch.tensor([True, False, False, True])
    obs, _ = envs.reset(options={"reset_mask": mask, "obs": np.full((N, 2), 9.0)})
    assert obs[[0, 3]].tolist() == [[9.0, 9.0]] * 2
    assert np.array_equal(obs[1:3], first[1:3])


def test_starts_cover_the_dataset() -> None:
    seen = {tuple(row) for row in make(num_envs=200).reset(seed=0)[0].tolist()}
    assert seen == {tuple(row) for row in toy_transitions().obs.tolist()}


def test_without_a_limit_nothing_is_truncated() -> None:
    envs = make(model=counting_ensemble(), max_episode_steps=-1)
    envs.reset(seed=0)
    assert not any(envs.step(ACTIONS)[3].any() for _ in range(20))


def test_default_time_limit_is_five_steps() -> None:
    envs = make(model=counting_ensemble())
    envs.reset(seed=0)
    assert [envs.step(ACTIONS)[3].any() for _ in range(6)] == [False] * 4 + [True, False]


def test_actions_may_be_arrays_or_tensors_or_lists() -> None:
    numbers = []
    for actions in (ACTIONS, torch.zeros(N, 1), [[0.0]] * N, ACTIONS.astype(np.float64)):
        envs = make(output="torch")
        envs.reset(seed=0)
        numbers.append(envs.step(actions)[0])
    assert all(torch.equal(numbers[0], other) for other in numbers[1:])


def test_step_before_reset_is_an_error() -> None:
    for mode in MODES:
        with pytest.raises(ResetNeeded):
            make(autoreset_mode=mode).step(ACTIONS)
        with pytest.raises(ResetNeeded):
            make(autoreset_mode=mode).reset(options={"reset_mask": np.ones(N, bool)})


def test_a_refused_reset_changes_nothing() -> None:
    envs = make(autoreset_mode="Disabled")
    envs.reset(seed=0)
    expected = envs.step(ACTIONS)[0]
    envs.reset(seed=0)
    with pytest.raises(SettingsError):
        envs.reset(seed=5, options={"reset_mask": np.ones(N)})
    with pytest.raises(SettingsError):
        envs.reset(seed=5, options={"obs": np.ones(N)})
    assert np.array_equal(envs.step(ACTIONS)[0], expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "jax"}, "Unknown output 'jax'. Valid: numpy, torch."),
        ({"max_episode_steps": 0}, "max_episode_steps must be at least 1"),
        ({"num_envs": 0}, "num_envs must be at least 1"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(**changes)


def test_bad_resets_and_steps_are_refused() -> None:
    envs = make()
    with pytest.raises(SettingsError, match="one integer for the whole batch"):
        envs.reset(seed=[1, 2, 3, 4])
    envs.reset(seed=np.int64(3))
    with pytest.raises(SettingsError, match=r"reset_mask'\] must be bool of shape \(4,\)"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(SettingsError, match=r"must have shape \(4, 2\), got \(2,\)"):
        envs.reset(options={"obs": np.zeros(2)})
    with pytest.raises(SettingsError, match=r"actions must have shape \(4, 1\), got \(4,\)"):
        envs.step(np.zeros(N))

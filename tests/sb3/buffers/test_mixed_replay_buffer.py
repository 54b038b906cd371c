import pickle
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, MultiBinary
from numpy.typing import NDArray
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, agent_class, mopo_schedule
from offline_envs.sb3.buffers import mixed_replay_buffer
from offline_envs.tasks import find_task, relabel
from tests.sb3.toy import ACTION_SPACE, WITH_CRITICS, CountingVectorEnv, toy_transitions
from tests.tasks.simulated import saved, simulated

OBS_SPACE = Box(-np.inf, np.inf, (2,), np.float32)


def make_buffer(size: int, n_envs: int = 1, **settings: Any) -> MixedReplayBuffer:
    settings = {"dataset": toy_transitions()} | settings
    return MixedReplayBuffer(size, OBS_SPACE, ACTION_SPACE, device="cpu", n_envs=n_envs, **settings)


def add_steps(buffer: ReplayBuffer, first: int, last: int, dones: Any = None, infos: Any = None) -> None:
    """Step `t` of env `e`: obs (e, t), action t/100, reward 10 e + t, next_obs (e, t + 1)."""
    env = np.arange(buffer.n_envs, dtype=np.float32)
    for t in range(first, last):
        obs = np.stack([env, np.full_like(env, t)], axis=1)
        done = np.zeros(buffer.n_envs, bool) if dones is None else np.array(dones[t])
        info = [{} for _ in env] if infos is None else infos[t]
        action = np.full((buffer.n_envs, 1), t / 100)
        buffer.add(obs, obs + np.array([0, 1]), action, 10 * env + t, done, info)


def model_rows(buffer: Any) -> NDArray[np.float32]:
    """Every model row in storage order: env, t, action, next env, next t, done, reward."""
    rows: Tensor = buffer._storage()[buffer.real_size :][: buffer.model_size]
    return rows.numpy()


def is_real(batch: Any) -> Tensor:
    obs: Tensor = batch.observations
    return obs[:, 0] == -1


def test_rows_are_stored_as_they_came() -> None:
    buffer = make_buffer(6, n_envs=2)
    add_steps(buffer, 0, 2)
    assert (buffer.pos, buffer.full, buffer.size(), buffer.model_size) == (2, False, 2, 4)
    expected: list[list[float]] = [
        [0, 0, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 1, 0, 10],
        [0, 1, 0.01, 0, 2, 0, 1],
        [1, 1, 0.01, 1, 2, 0, 11],
    ]
    assert np.allclose(model_rows(buffer), expected)


def test_the_oldest_rows_are_overwritten() -> None:
    buffer = make_buffer(7, n_envs=2)  # rounded down to 3 steps of 2 rows
    add_steps(buffer, 0, 5)
    assert (buffer.pos, buffer.full, buffer.size(), buffer.model_size) == (2, True, 3, 6)
    assert model_rows(buffer)[:, :2].tolist() == [[0, 3], [1, 3], [0, 4], [1, 4], [0, 2], [1, 2]]


@pytest.mark.parametrize("handle", [True, False])
def test_a_truncated_row_is_not_done_and_a_terminated_row_is(handle: bool) -> None:
    dones = [[True, True, False]]
    infos = [[{"TimeLimit.truncated": True}, {"TimeLimit.truncated": False}, {}]]
    buffer = make_buffer(9, n_envs=3, handle_timeout_termination=handle)
    add_steps(buffer, 0, 1, dones, infos)
    assert model_rows(buffer)[:, 5].tolist() == [0.0 if handle else 1.0, 1.0, 0.0]


def test_the_rows_of_a_vector_environment_are_stored_right() -> None:
    # Row 0 is truncated at step 3, row 1 terminates at step 2; SB3's own buffer must agree.
    settings: Any = {"train_freq": 4, "gradient_steps": 0, "learning_starts": 0, "buffer_size": 8, "seed": 0}
    kinds: list[dict[str, Any]] = [
        {"replay_buffer_class": MixedReplayBuffer, "replay_buffer_kwargs": {"dataset": toy_transitions()}},
        {},
    ]
    buffers: list[Any] = [
        SAC("MlpPolicy", SB3VecEnv(CountingVectorEnv([9, 2], horizon=3)), device="cpu", **settings, **kind)
        .learn(8)
        .replay_buffer
        for kind in kinds
    ]
    mixed, stock = buffers
    rows = model_rows(mixed).reshape(4, 2, 7)
    assert rows[:, 0, 1].tolist() == [0, 1, 2, 0]
    assert rows[:, 0, 4].tolist() == [1, 2, 3, 1]
    assert rows[:, 0, 5].tolist() == [0, 0, 0, 0]
    assert rows[:, 1, 4].tolist() == [1, 2, 1, 2]
    assert rows[:, 1, 5].tolist() == [0, 1, 0, 1]
    assert np.array_equal(rows[:, :, :2], stock.observations)
    assert np.array_equal(rows[:, :, 3:5], stock.next_observations)
    assert np.array_equal(rows[:, :, 5], stock.dones * (1 - stock.timeouts))
    # The reward of row 0 is t plus the action in the environment's units: -2 + 4 * (scaled + 1).
    assert np.allclose(rows[:, 0, 6], rows[:, 0, 4] - 2 + 4 * (rows[:, 0, 2] + 1), atol=1e-5)


def test_the_dataset_is_stored_in_the_agents_units() -> None:
    buffer = make_buffer(4)
    rows = buffer._storage()[: buffer.real_size]
    assert rows[:, 2].tolist() == [-0.5] * 8  # 0 between -2 and 6
    assert rows[:, 5].tolist() == [0.0] * 7 + [1.0]
    assert rows[:, 6].tolist() == [-float(t) for t in range(8)]
    assert rows[3].tolist() == [-1, 3, -0.5, -1, 4, 0, -3]


def test_the_real_share_is_exact_and_stays_after_the_ring_is_full() -> None:
    buffer = make_buffer(10, n_envs=2, real_ratio=0.05)
    add_steps(buffer, 0, 3)
    for _ in range(5):
        assert int(is_real(buffer.sample(256)).sum()) == 12
    add_steps(buffer, 3, 50)
    assert buffer.full
    for batch_size, n_real in ((256, 12), (100, 5), (19, 0), (1, 0)):
        batch = buffer.sample(batch_size)
        assert len(batch.observations) == len(batch.rewards) == batch_size
        assert int(is_real(batch).sum()) == n_real


@pytest.mark.parametrize(("ratio", "n_real"), [(0.0, 0), (0.5, 32), (1.0, 64)])
def test_other_shares(ratio: float, n_real: int) -> None:
    buffer = make_buffer(10, real_ratio=ratio)
    assert is_real(buffer.sample(64)).all()  # the ring is still empty
    add_steps(buffer, 0, 4)
    assert int(is_real(buffer.sample(64)).sum()) == n_real
    buffer.reset()
    assert is_real(buffer.sample(64)).all()


def test_every_row_held_is_drawn_and_no_other() -> None:
    buffer = make_buffer(10, n_envs=2, real_ratio=0.5)
    add_steps(buffer, 0, 3)
    obs = buffer.sample(1000).observations
    seen = {tuple(row) for row in obs.tolist()}
    assert seen == {(-1, t) for t in range(8)} | {(e, t) for e in range(2) for t in range(3)}


def test_samples_have_the_shapes_of_sb3() -> None:
    batch = make_buffer(4).sample(5)
    shapes = [tuple(t.shape) for t in batch[:5]]
    assert shapes == [(5, 2), (5, 1), (5, 2), (5, 1), (5, 1)]
    assert all(t.dtype == torch.float32 for t in batch[:5])


def test_numpys_global_seed_fixes_the_batches() -> None:
    def batches() -> list[Any]:
        np.random.seed(4)  # noqa: NPY002 what SB3's set_random_seed does
        buffer = make_buffer(10)
        return [buffer.sample(16).rewards.tolist() for _ in range(2)]

    first, second = batches(), batches()
    assert first == second
    assert first[0] != first[1]


@pytest.mark.parametrize("n_held", [0, 3])
def test_batches_drawn_ahead_are_those_of_sample(n_held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_replay_buffer, "DRAWN_AHEAD", 3)
    found: list[Any] = []
    for ahead in (True, False):
        np.random.seed(4)  # noqa: NPY002 what SB3's set_random_seed does
        buffer = make_buffer(10, n_envs=2, real_ratio=0.5)
        add_steps(buffer, 0, n_held)
        first = map(buffer.batch_at, buffer.draw(4, 16))
        drawn = list(first if ahead else (buffer.sample(16) for _ in range(4)))
        with closing(buffer.draw(9, 16)) as stopped:  # after two of the second three
            drawn += [buffer.batch_at(next(stopped)) if ahead else buffer.sample(16) for _ in range(5)]
        found.append([torch.cat(batch[:5], dim=1) for batch in drawn])
        found[-1].append(buffer.sample(16).rewards)  # the generator is where it would be
    assert len(found[0]) == 10
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_normalisation_applies_to_both_parts() -> None:
    env: Any = VecNormalize(SB3VecEnv(CountingVectorEnv([9])), clip_reward=2.0)
    env.reset()
    env.obs_rms.mean, env.obs_rms.var = np.array([1.0, 0.0]), np.array([4.0, 1.0])
    buffer = make_buffer(10, real_ratio=0.5)
    add_steps(buffer, 0, 1)
    batch = buffer.sample(4, env=env)
    assert np.allclose(batch.observations[:, 0], [-1, -1, -0.5, -0.5])
    assert float(batch.rewards.min()) >= -2.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimize_memory_usage": True}, "optimize_memory_usage=False"),
        ({"dataset": None}, "needs a dataset"),
        ({"real_ratio": 1.5}, "between 0 and 1, got 1.5"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_buffer(4, **settings)


def test_a_dataset_of_another_environment_is_refused() -> None:
    buffer = MixedReplayBuffer(4, Box(-1, 1, (3,)), ACTION_SPACE, device="cpu", dataset=toy_transitions())
    with pytest.raises(SettingsError, match=r"obs 3 and action 1.*obs 2 and action 1"):
        buffer.sample(1)


def test_actions_that_are_no_array_are_refused() -> None:
    """Discrete ones are taken, see `tests/sb3/test_discrete_agents.py`."""
    with pytest.raises(SettingsError, match="Box action space"):
        MixedReplayBuffer(4, OBS_SPACE, MultiBinary(2), dataset=toy_transitions())


def make_agent(name: str, dataset: Any, **settings: Any) -> Any:
    schedule = mopo_schedule(4, 3, transitions_per_gradient_step=4, retained_transitions=24)
    kind: Any = agent_class(name)
    return kind(
        "MlpPolicy",
        SB3VecEnv(CountingVectorEnv([9, 2, 9, 1], horizon=3)),
        **schedule,
        batch_size=40,
        policy_kwargs={"net_arch": [8]},
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": dataset},
        device="cpu",
        seed=0,
        **settings,
    )


@pytest.mark.parametrize("name", WITH_CRITICS)
def test_every_agent_trains_on_it(name: str, dataset_path: str, tmp_path: Path) -> None:
    agent = make_agent(name, dataset_path).learn(36, log_interval=None)
    assert agent._n_updates == 9
    assert agent.replay_buffer.full
    assert int(is_real(agent.replay_buffer.sample(40)).sum()) == 2
    agent.save(tmp_path / "agent.zip")
    loaded = type(agent).load(tmp_path / "agent.zip", device="cpu")
    obs = np.zeros(2, np.float32)
    assert np.allclose(loaded.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])


def test_a_saved_agent_continues_to_learn(dataset_path: str, tmp_path: Path) -> None:
    agent = make_agent("sac", dataset_path).learn(12)
    agent.save(tmp_path / "agent.zip")
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    loaded: Any = SAC.load(tmp_path / "agent.zip", env=agent.get_env(), device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer.pkl")
    assert isinstance(loaded.replay_buffer, MixedReplayBuffer)
    assert loaded.replay_buffer.real_ratio == 0.05
    assert torch.equal(loaded.replay_buffer._storage(), agent.replay_buffer._storage())
    drawn = [a.replay_buffer.sample(32).rewards for a in (agent, loaded)]
    assert torch.equal(*drawn)
    loaded.learn(12, reset_num_timesteps=False)
    assert loaded._n_updates == 6


def test_loading_a_policy_needs_no_dataset(dataset_path: str, tmp_path: Path) -> None:
    make_agent("sac", dataset_path).learn(12).save(tmp_path / "agent.zip")
    Path(dataset_path).unlink()
    SAC.load(tmp_path / "agent.zip", device="cpu").predict(np.zeros(2, np.float32))


def test_a_saved_buffer_holds_the_dataset_only_if_it_was_arrays(dataset_path: str) -> None:
    buffers = [make_buffer(6, dataset=dataset) for dataset in (dataset_path, toy_transitions())]
    for buffer in buffers:
        add_steps(buffer, 0, 2)
    by_path, by_arrays = (buffer.__getstate__() for buffer in buffers)
    assert by_path["_real_rows"] is None
    assert by_path["dataset"] == dataset_path
    assert by_arrays["_real_rows"].shape == (8, 7)
    assert by_arrays["dataset"] is None
    assert by_path["_model_rows"].untyped_storage().nbytes() == 2 * 7 * 4
    for state, buffer in zip((by_path, by_arrays), buffers, strict=True):
        restored = MixedReplayBuffer.__new__(MixedReplayBuffer)
        restored.__setstate__(state)
        assert torch.equal(restored._storage(), buffer._storage())
        assert (restored.pos, restored.real_size) == (2, 8)


def test_a_file_from_before_there_were_tasks_is_read() -> None:
    state = make_buffer(6, dataset=toy_transitions()).__getstate__()
    del state["task"]
    restored = MixedReplayBuffer.__new__(MixedReplayBuffer)
    restored.__setstate__(state)
    assert restored.real_size == 8


def test_an_unused_buffer_can_be_saved(dataset_path: str) -> None:
    restored = MixedReplayBuffer.__new__(MixedReplayBuffer)
    restored.__setstate__(make_buffer(6, dataset=toy_transitions()).__getstate__())
    assert restored.real_size == 8


@pytest.mark.parametrize("task", ["halfcheetah-jump", find_task("halfcheetah-jump")])
def test_the_datasets_rows_get_the_reward_of_a_task(task: Any, tmp_path: Path) -> None:
    """Also after the buffer is pickled and loaded."""
    data = simulated("HalfCheetah-v5").transitions
    path = saved(data, tmp_path / "data.npz")
    spaces = Box(-np.inf, np.inf, (17,)), data.action_space
    options: dict[str, Any] = {"dataset": str(path), "env_id": "HalfCheetah-v5", "task": task}
    buffer = MixedReplayBuffer(4, *spaces, device="cpu", **options)
    for held in (buffer, pickle.loads(pickle.dumps(buffer))):
        rewards = held._storage()[: held.real_size, -1]
        assert torch.equal(rewards, relabel(path, "halfcheetah-jump", env_id="HalfCheetah-v5").rewards)

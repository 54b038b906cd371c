from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import pytest
from numpy.typing import NDArray

from offline_envs.agents import AGENTS
from offline_envs.collect import CollectSettings, Kind
from offline_envs.collect.agents import new_agent
from offline_envs.collect.collection import Collected, collect_dataset
from offline_envs.errors import DatasetError, SettingsError

ENV_ID = "InvertedPendulum-v5"
SMALL: dict[str, Any] = {"steps": 120, "net_arch": (8,)}


def collect(root: Path, name: str = "first", *, env_id: str = ENV_ID, **settings: Any) -> Collected:
    return collect_dataset(
        env_id, f"test/{name}-v0", settings=CollectSettings(**{**SMALL, **settings}), output_root=root
    )


def arrays(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> dict[str, NDArray[Any]]:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(collected.folder.parents[1]))
    episodes = list(minari.load_dataset(collected.dataset_id))
    names = ("observations", "actions", "rewards", "terminations", "truncations")
    return {name: np.concatenate([getattr(e, name) for e in episodes]) for name in names}


@pytest.mark.parametrize("kind", list(Kind))
def test_the_same_seed_gives_the_same_dataset(
    tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    training: dict[str, Any] = {"train_steps": 120} if kind in (Kind.MEDIUM, Kind.EXPERT) else {}
    one, again, other = (
        arrays(collect(tmp_path, name, kind=kind, seed=seed, **training), monkeypatch)
        for name, seed in (("one", 3), ("again", 3), ("other", 4))
    )
    assert len(one["actions"]) == 120
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert not np.array_equal(one["actions"][:20], other["actions"][:20])


def test_replay_holds_every_step_of_the_training_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's own replay buffer, from the same seed, holds the same steps."""
    settings = CollectSettings(Kind.REPLAY, steps=150, seed=5, net_arch=(8,))
    recorded = arrays(collect(tmp_path, kind=Kind.REPLAY, steps=150, seed=5), monkeypatch)
    agent = new_agent(settings, gym.make(ENV_ID), steps=150)
    agent.learn(150)
    buffer = agent.replay_buffer
    assert buffer is not None
    np.testing.assert_array_equal(recorded["rewards"], buffer.rewards[:150, 0])
    scale = 3  # The action space is [-3, 3], and the buffer holds actions scaled to [-1, 1].
    np.testing.assert_allclose(recorded["actions"], scale * buffer.actions[:150, 0], atol=1e-5)
    np.testing.assert_array_equal(recorded["terminations"], buffer.dones[:150, 0] == 1)


def test_random_actions_fill_the_action_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = arrays(collect(tmp_path, kind=Kind.RANDOM, steps=500), monkeypatch)["actions"]
    assert actions.min() >= -3
    assert actions.max() <= 3
    assert abs(actions.mean()) < 0.3  # 4 standard errors of a uniform draw from [-3, 3]
    assert abs(actions.std() - np.sqrt(3)) < 0.15


@pytest.mark.parametrize("name", ["sac", "trpo"])
def test_a_loaded_policy_is_rolled_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deterministic actions can be recomputed from the observations."""
    make: Any = AGENTS[name].load()
    agent = make("MlpPolicy", gym.make(ENV_ID), policy_kwargs={"net_arch": [8]}, device="cpu", seed=1)
    path = tmp_path / "policy.zip"
    agent.save(path)
    collected = collect(tmp_path, kind=Kind.EXPERT, agent=name, policy=path, deterministic=True)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    for episode in minari.load_dataset(collected.dataset_id):
        expected, _ = agent.predict(episode.observations[:-1], deterministic=True)
        np.testing.assert_allclose(episode.actions, expected, atol=1e-5)


def test_the_summary_is_that_of_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = collect(tmp_path, kind=Kind.RANDOM)
    data = arrays(collected, monkeypatch)
    assert collected.lengths.sum() == 120
    assert collected.returns.sum() == data["rewards"].sum()
    assert data["terminations"].sum() + data["truncations"].sum() == len(collected.lengths)


def test_progress_covers_training_and_recording(tmp_path: Path) -> None:
    calls: list[None] = []
    settings = CollectSettings(Kind.EXPERT, steps=50, train_steps=120, net_arch=(8,))
    collect_dataset(
        ENV_ID, "test/a-v0", settings=settings, output_root=tmp_path, on_step=lambda: calls.append(None)
    )
    assert len(calls) == 170


def test_keywords_reach_the_environment_and_the_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = collect(tmp_path, env_id="Pendulum-v1", kind=Kind.RANDOM, steps=20, env_kwargs={"g": 0.0})
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert minari.load_dataset(collected.dataset_id).env_spec.kwargs == {"g": 0.0}


def test_keywords_of_any_json_type_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hopper's range is a tuple with an infinite end; JSON has neither, Python's JSON has the second."""
    keywords = {"healthy_z_range": (0.5, float("inf")), "camera_name": None, "ctrl_cost_weight": 0}
    collected = collect(tmp_path, env_id="Hopper-v5", kind=Kind.RANDOM, steps=5, env_kwargs=keywords)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset(collected.dataset_id)
    stored = dataset.env_spec.kwargs
    assert stored == {"healthy_z_range": [0.5, float("inf")], "camera_name": None, "ctrl_cost_weight": 0}
    dataset.recover_environment().reset()


def test_keywords_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be JSON values"):
        collect(tmp_path, env_id="Pendulum-v1", kind=Kind.RANDOM, env_kwargs={"g": object()})
    assert list(tmp_path.iterdir()) == []


def test_positions_velocities_and_terms_of_the_reward_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tasks on the same steps are computed from them. One step of HalfCheetah takes 0.05 s."""
    collected = collect(tmp_path, env_id="HalfCheetah-v5", kind=Kind.RANDOM, steps=20)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    (episode,) = minari.load_dataset(collected.dataset_id)
    infos = episode.infos
    assert infos is not None
    assert set(infos) == {"x_position", "x_velocity", "reward_forward", "reward_ctrl"}
    np.testing.assert_allclose(np.diff(infos["x_position"][1:]) / 0.05, infos["x_velocity"][2:], atol=1e-4)
    np.testing.assert_allclose(infos["reward_ctrl"][1:], -0.1 * np.sum(episode.actions**2, axis=1), rtol=1e-5)
    np.testing.assert_allclose(episode.rewards, infos["reward_forward"][1:] + infos["reward_ctrl"][1:], 1e-4)


def test_an_existing_id_is_refused_before_any_work(tmp_path: Path) -> None:
    collect(tmp_path, kind=Kind.RANDOM, steps=5)
    with pytest.raises(DatasetError, match="exists and is never overwritten"):
        collect(tmp_path, env_id="would fail if it were made", kind=Kind.EXPERT)


def test_what_a_kill_leaves_beside_a_finished_dataset_is_removed(tmp_path: Path) -> None:
    folder = collect(tmp_path, kind=Kind.RANDOM, steps=5).folder
    hidden = folder.with_name(f".{folder.name}.partial")
    (hidden / "recording").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"another folder\.$"):
        collect(tmp_path, kind=Kind.RANDOM, steps=5)
    assert not hidden.exists()


def test_unfinished_work_beside_a_dataset_from_elsewhere_is_named_and_kept(tmp_path: Path) -> None:
    folder = collect(tmp_path, kind=Kind.RANDOM, steps=5).folder
    hidden = folder.with_name(f".{folder.name}.partial")
    hidden.mkdir()
    (hidden / "settings.json").touch()
    with pytest.raises(DatasetError, match=r"partial holds what is left of an interrupted collection"):
        collect(tmp_path, kind=Kind.RANDOM, steps=5)
    assert hidden.is_dir()


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Blackjack-v1", "Both spaces of Blackjack-v1 must be Box of one dimension"),
        ("Nowhere-v0", "Cannot make 'Nowhere-v0'"),
    ],
)
def test_environments_that_cannot_be_recorded_are_refused(tmp_path: Path, env_id: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        collect(tmp_path, env_id=env_id, kind=Kind.RANDOM)

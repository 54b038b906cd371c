"""Relabelled rewards compared with hand-calculated ones and with the simulator, and what is refused."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from gymnasium.spaces import Box

from offline_envs.data import Transitions, named_environment
from offline_envs.dynamics import ensemble_folder
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.tasks import Relabelling, find_task, relabel, task_transitions
from tests.tasks.simulated import padded, simulated, without

CHEETAH, ANT = "HalfCheetah-v5", "Ant-v5"
FLAT_ANT = {"include_cfrc_ext_in_observation": False}


def arrays() -> dict[str, Any]:
    """Two episodes of one step: height 0.1, velocity 2; then height −0.2, velocity 5. Actions of 0.5."""
    obs, next_obs = np.zeros((2, 17)), np.zeros((2, 17))
    next_obs[:, 0] = [0.1, -0.2]
    obs[:, 8] = next_obs[:, 8] = [2.0, 5.0]
    return {
        "obs": obs,
        "next_obs": next_obs,
        "actions": np.full((2, 6), 0.5),
        "rewards": np.array([1.85, 4.85]),
        "terminated": np.zeros(2),
        "truncated": np.ones(2),
        "infos": {"x_velocity": np.array([2.0, 5.0])},
    }


def with_spec(transitions: Transitions, env_id: str, **kwargs: Any) -> Transitions:
    spec = copy.deepcopy(gym.spec(env_id))
    spec.kwargs = {**spec.kwargs, **kwargs}
    return replace(transitions, env_spec=spec)


@pytest.mark.parametrize(
    ("task", "rewards"),
    [
        ("halfcheetah-jump", [3.35, -0.15]),  # 2 − 0.15 + 1.5 and 3 − 0.15 − 3
        ("halfcheetah-jump:jump_weight=0,max_speed=4", [1.85, 3.85]),
        ("halfcheetah-jump:literal_max=true", [4.35, 1.85]),
        ("halfcheetah-velocity:target_speed=-1", [-3.15, -6.15]),
    ],
)
def test_rewards_by_hand(task: str, rewards: list[float]) -> None:
    assert relabel(arrays(), task, env_id=CHEETAH).rewards.tolist() == pytest.approx(rewards)


def test_a_jump_in_the_simulator() -> None:
    """min(vx, 3) − 0.1 |a|² + 15 z of positions, even where vx must be inferred from the reward."""
    found = simulated(CHEETAH)
    action = found.transitions.actions.double().numpy()
    truth = np.minimum(found.velocity[:, 0], 3) - 0.1 * (action**2).sum(axis=1) + 15 * found.height
    for data in (found.transitions, without(found.transitions, "x_velocity")):
        result = relabel(data, "halfcheetah-jump")
        assert result.rewards.dtype == torch.float32
        np.testing.assert_allclose(result.rewards, truth, rtol=0, atol=3e-6)


def test_an_angle_in_the_simulator() -> None:
    found = simulated(ANT, **FLAT_ANT)
    action = found.transitions.actions.double().numpy()
    healthy = (found.height >= 0.2) & (found.height <= 1.0)
    truth = found.velocity @ [0.6, 0.8] - 0.5 * (action**2).sum(axis=1) + healthy
    degrees = np.degrees(np.arctan2(0.8, 0.6))
    result = relabel(found.transitions, f"ant-angle:degrees={degrees},survive_bonus=1")
    np.testing.assert_allclose(result.rewards, truth, rtol=0, atol=3e-6)


def test_everything_but_rewards_is_shared() -> None:
    """A dataset of a gigabyte must not be in memory once per task."""
    data = simulated(CHEETAH).transitions
    results = [relabel(data, "halfcheetah-jump"), task_transitions(data, "halfcheetah-velocity")]
    for name in ("obs", "actions", "next_obs", "terminated", "episode_starts"):
        assert {getattr(result, name).data_ptr() for result in results} == {getattr(data, name).data_ptr()}
    assert task_transitions(data) is data


@pytest.mark.parametrize("n_appended", [78, 84])
def test_contact_forces_are_dropped_once(n_appended: int) -> None:
    flat = simulated(ANT, **FLAT_ANT).transitions
    found = Relabelling.of(padded(flat, n_appended), "ant-angle")
    assert torch.equal(found.transitions.obs, flat.obs)
    assert torch.equal(found.transitions.next_obs, flat.next_obs)
    assert torch.equal(found.transitions.rewards, relabel(flat, "ant-angle").rewards)
    assert f"Of {27 + n_appended} observation columns the first 27" in found.report.notes[0]


def test_readers_share_what_was_cut() -> None:
    data = padded(simulated(ANT, **FLAT_ANT).transitions, 78)
    first, second = (relabel(data, task).obs for task in ("ant-angle", "ant-angle:degrees=45"))
    assert first.data_ptr() == second.data_ptr()


def test_real_contact_forces_are_appended() -> None:
    """The simulator with contact forces sees the same ant in its first 27 columns."""
    full, flat = simulated(ANT).transitions, simulated(ANT, **FLAT_ANT).transitions
    assert full.obs_dim == 105
    assert torch.equal(relabel(full, "ant-angle").obs, flat.obs)


def test_infos_hold_the_parts_of_the_new_reward_only() -> None:
    """Parts of the old reward would contradict the new one."""
    data = simulated(ANT, **FLAT_ANT).transitions
    assert {"reward_contact", "reward_survive"} <= set(data.infos)
    result = relabel(data, "ant-angle:survive_bonus=1")
    assert set(result.infos) == set(data.infos) - {"reward_contact"}
    assert result.infos["x_velocity"] is data.infos["x_velocity"]
    parts = sum(values.double() for name, values in result.infos.items() if name.startswith("reward_"))
    np.testing.assert_allclose(parts, result.rewards, rtol=0, atol=1e-6)


def test_only_an_exact_velocity_becomes_an_info() -> None:
    """An estimate in the infos would pass for a log when the data are relabelled again."""
    data = without(simulated(CHEETAH).transitions, "x_velocity")
    assert "x_velocity" in relabel(data, "halfcheetah-jump").infos
    with pytest.warns(UserWarning, match="x_velocity from observations"):
        result = relabel(replace(data, env_spec=None), "halfcheetah-jump")
    assert "x_velocity" not in result.infos


def test_the_environment_is_the_tasks_with_the_physics_of_the_data() -> None:
    data = with_spec(
        simulated(CHEETAH).transitions, CHEETAH, reset_noise_scale=0.0, forward_reward_weight=2.0
    )
    result = relabel(data, "halfcheetah-jump:jump_weight=10")
    assert result.env_spec is not None
    assert result.env_spec.id == "HalfCheetahJump-v0"
    expected = {"task": "halfcheetah-jump", "reset_noise_scale": 0.0, "jump_weight": 10.0}
    assert result.env_spec.kwargs == expected
    assert gym.spec("HalfCheetahJump-v0").kwargs == {"task": "halfcheetah-jump"}


def test_episodes_stay_as_long_as_they_were() -> None:
    """Returns of shorter episodes cannot be compared with those of the data."""
    spec = relabel(simulated(CHEETAH).transitions, "halfcheetah-jump").env_spec
    assert spec is not None
    assert spec.max_episode_steps == 100


def test_data_of_the_tasks_own_environment_get_another_task() -> None:
    data = with_spec(
        simulated(CHEETAH).transitions, "HalfCheetahJump-v0", jump_weight=0.0, reset_noise_scale=0.2
    )
    result = relabel(data, "halfcheetah-velocity")
    assert result.env_spec is not None
    assert result.env_spec.kwargs == {"task": "halfcheetah-velocity", "reset_noise_scale": 0.2}


def test_data_of_the_older_version_are_accepted() -> None:
    """HalfCheetah-v4 has the physics and reward of v5; only the names of its infos differ."""
    data = simulated(CHEETAH).transitions
    old = without(with_spec(data, "HalfCheetah-v4"), "x_velocity")
    torch.testing.assert_close(
        relabel(old, "halfcheetah-jump").rewards, relabel(data, "halfcheetah-jump").rewards
    )


def test_the_report_compares_returns() -> None:
    found = Relabelling.of(
        relabel(arrays(), "halfcheetah-jump:jump_weight=0", env_id=CHEETAH), "halfcheetah-jump"
    )
    report = found.report
    assert (report.rows, report.episodes, report.task) == (2, 2, "halfcheetah-jump")
    assert (report.mean_before, report.best_before) == pytest.approx((2.35, 2.85))
    assert (report.mean_after, report.best_after) == pytest.approx((1.6, 3.35))
    assert report.dataset in found.transitions.source


def test_data_without_an_id_are_accepted_by_their_dimensions() -> None:
    found = Relabelling.of(replace(simulated(CHEETAH).transitions, env_spec=None), "halfcheetah-jump")
    assert "do not name their environment" in found.report.notes[0]


def test_the_model_of_another_task_is_another_model() -> None:
    """A model in the cache predicts the rewards that it was fitted to."""
    data = simulated(CHEETAH).transitions
    tasks = (None, "halfcheetah-jump", "halfcheetah-jump:jump_weight=1", "halfcheetah-velocity")
    folders: set[Path] = {ensemble_folder(task_transitions(data, task)) for task in tasks}
    assert len(folders) == len(tasks)


@pytest.mark.parametrize("name", ["halfcheetah-jump", "ant-angle"])
def test_tasks_can_be_copied(name: str) -> None:
    """Gymnasium copies the keywords of an environment, Stable-Baselines3 pickles those of a buffer."""
    task = find_task(f"{name}:control_cost=1" if name == "ant-angle" else name)
    for twin in (copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert str(twin) == str(task)
        assert twin.references == task.references


def test_data_of_another_body_are_refused() -> None:
    data = with_spec(simulated(CHEETAH).transitions, "Walker2d-v5")
    with pytest.raises(DatasetError, match=r"needs data of Half.*from Walker2d-v5.*Next time collect .*Half"):
        relabel(data, "halfcheetah-jump")


def test_wrapped_data_are_refused() -> None:
    data = simulated(CHEETAH).transitions
    spec: EnvSpec = copy.deepcopy(gym.spec(CHEETAH))
    spec.additional_wrappers = (WrapperSpec("RescaleAction", "gymnasium.wrappers:RescaleAction", {}),)
    with pytest.raises(DatasetError, match=r"through RescaleAction\. If .* env_id='HalfCheetah-v5'"):
        relabel(replace(data, env_spec=spec), "halfcheetah-jump")


def test_an_id_of_the_body_is_valid_with_all_its_widths() -> None:
    """27 columns of Ant-v5 without contact forces, 105 with them, and D4RL's 111."""
    flat = simulated(ANT, **FLAT_ANT).transitions
    expected = relabel(flat, "ant-angle")
    for data in (flat, padded(flat, 78), padded(flat, 84)):
        unnamed = replace(data, env_spec=None)
        for dataset in (unnamed, [unnamed]):
            result = relabel(dataset, "ant-angle", env_id=ANT)
            assert torch.equal(result.obs, expected.obs)
            assert torch.equal(result.rewards, expected.rewards)
    twice = relabel([unnamed, unnamed], "ant-angle", env_id=ANT)
    assert torch.equal(twice.rewards, expected.rewards.repeat(2))


def test_an_id_of_another_body_is_refused_before_the_data_are_read() -> None:
    with pytest.raises(DatasetError, match=r"data of Ant-v4, Ant-v5, AntAngle-v0; the dataset, by env_id=,"):
        relabel("no/such-dataset-v0", "ant-angle", env_id=CHEETAH)


def test_a_specification_has_its_own_keywords() -> None:
    data = simulated(CHEETAH, reset_noise_scale=0.0).transitions
    named = named_environment(CHEETAH, {"reset_noise_scale": 0.3})
    result = relabel(data, "halfcheetah-jump", env_id=named)
    assert result.env_spec is not None
    assert result.env_spec.kwargs["reset_noise_scale"] == 0.3
    with pytest.raises(DatasetError, match="comes from Hopper-v5"):
        relabel(data, "halfcheetah-jump", env_id=named_environment("Hopper-v5", {"frame_skip": 2}))


def test_the_name_keeps_the_keywords_of_the_data_and_drops_their_wrappers() -> None:
    """Otherwise, following the error's advice would lose the physics of wrapped data."""
    data = with_spec(simulated(CHEETAH).transitions, CHEETAH, reset_noise_scale=0.0)
    assert data.env_spec is not None
    wrapped: EnvSpec = copy.deepcopy(data.env_spec)
    wrapped.additional_wrappers = (WrapperSpec("RescaleAction", "gymnasium.wrappers:RescaleAction", {}),)
    result = relabel(replace(data, env_spec=wrapped), "halfcheetah-jump", env_id=CHEETAH)
    assert result.env_spec is not None
    assert result.env_spec.kwargs["reset_noise_scale"] == 0.0
    assert result.env_spec.additional_wrappers == ()


def test_doubtful_logs_cause_a_warning() -> None:
    data = simulated(CHEETAH).transitions
    zeros = {"x_velocity": torch.zeros(len(data))}
    with pytest.warns(UserWarning, match="the logged x_velocity is doubtful and not used"):
        result = relabel(replace(data, infos=zeros), "halfcheetah-jump")
    np.testing.assert_allclose(result.rewards, relabel(data, "halfcheetah-jump").rewards, rtol=0, atol=1e-5)


def test_a_second_relabelling_remembers_the_first() -> None:
    data = replace(simulated(CHEETAH).transitions, metadata={"algorithm_name": "SAC"})
    first = relabel(data, "halfcheetah-velocity")
    metadata = relabel(first, "halfcheetah-jump").metadata
    assert (metadata["task"], metadata["source_metadata"]["task"]) == (
        "halfcheetah-jump",
        "halfcheetah-velocity",
    )
    assert metadata["source_fingerprint"] == first.fingerprint
    assert metadata["source_metadata"]["source_fingerprint"] == data.fingerprint
    assert metadata["algorithm_name"] == "SAC"
    assert EnvSpec.from_json(metadata["source_env_spec"]).id == "HalfCheetahVelocity-v0"


def test_other_observations_are_refused_with_what_to_log() -> None:
    data = padded(simulated(ANT, **FLAT_ANT).transitions, 2)
    message = (
        r"needs observations of 27 dimensions, or 105 or 111 where .* has 29 of Ant-v5\. Next time .*"
        r"'Ant-v5', include_cfrc_ext_in_observation=False\) and log x_velocity, y_velocity"
    )
    with pytest.raises(DatasetError, match=message):
        relabel(data, "ant-angle")


def test_columns_of_data_without_an_id_are_not_cut() -> None:
    data = replace(padded(simulated(ANT, **FLAT_ANT).transitions, 78), env_spec=None)
    with pytest.raises(DatasetError, match=r"has 105 of an unknown .* pass env_id='Ant-v5'\."):
        relabel(data, "ant-angle")


def test_other_actions_are_refused() -> None:
    data = {**arrays(), "actions": np.zeros((2, 5))}
    with pytest.raises(DatasetError, match="needs actions of 6 dimensions; Arrays has 5"):
        relabel(data, "halfcheetah-jump")


def test_a_task_without_an_environment_is_refused() -> None:
    task = replace(find_task("halfcheetah-jump"), env_id="Nowhere-v0")
    with pytest.raises(SettingsError, match="The environment of halfcheetah-jump is not registered"):
        relabel(simulated(CHEETAH).transitions, task)


def test_an_unknown_task_is_refused_before_the_data_are_read() -> None:
    with pytest.raises(SettingsError, match="Unknown task 'jump'"):
        relabel("no/such-dataset-v0", "jump")


def test_a_table_without_an_environment_has_the_action_bounds_of_the_task() -> None:
    """Those of its data would forbid the agent what the cheetah can do."""
    two = arrays()
    table = {
        **{name: two[name] for name in ("obs", "next_obs", "rewards", "terminated", "truncated")},
        "action": two["actions"] * [[1.0], [-0.5]],
    }
    with pytest.warns(UserWarning, match="x_velocity"):
        data = task_transitions(table, "halfcheetah-jump", columns={})
    assert data.action_space == Box(-1.0, 1.0, (6,))
    assert data.observed_bounds == frozenset()

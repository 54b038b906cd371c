from dataclasses import replace
from itertools import permutations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import WrapperSpec
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_envs.data import concatenate, load_transitions
from offline_envs.errors import DatasetError
from tests.data.tables.plants import COLUMNS, rows
from tests.data.worlds import arrays, episode, same, transitions, write_minari
from tests.nested import cart_rows


def test_two_by_hand() -> None:
    both = concatenate([transitions(2), transitions(3, episode_starts=torch.tensor([0, 1]))])
    assert both.obs[:, 0].tolist() == [0, 1, 0, 1, 2]
    assert both.next_obs[:, 0].tolist() == [1, 2, 1, 2, 3]
    assert both.terminated.tolist() == [False, True, False, False, True]
    assert both.episode_starts.tolist() == [0, 2, 3]
    assert both.source == "Known by heart + Known by heart"


@given(st.lists(st.integers(1, 5), min_size=3, max_size=3))
@settings(deadline=None, max_examples=10)
def test_is_associative(sizes: list[int]) -> None:
    a, b, c = (transitions(size) for size in sizes)
    left, right = concatenate([concatenate([a, b]), c]), concatenate([a, concatenate([b, c])])
    assert same(left, right)
    assert same(left, concatenate([a, b, c]))
    assert left.source == right.source
    assert len(left) == sum(sizes)


def test_sources_of_all_kinds_in_one_list() -> None:
    write_minari("a-v0", [episode(0, 3)])
    fields = arrays(observations=np.zeros((5, 2)), next_observations=np.zeros((5, 2)))
    data = load_transitions(["a-v0", fields, [load_transitions("a-v0")]])
    assert len(data) == 3 + 5 + 3
    assert data.episode_starts.tolist() == [0, 3, 6, 8]


def test_nothing_to_concatenate() -> None:
    with pytest.raises(DatasetError, match="empty list"):
        load_transitions([])


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"same dimensions: Known by heart has obs 1, actions 1; .* obs 3"):
        concatenate([transitions(), transitions(obs=torch.zeros(4, 3), next_obs=torch.zeros(4, 3))])


def test_other_action_spaces_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"same action space: .*env_id=.*'action_low': .*'action_high'"):
        concatenate([transitions(), transitions(action_space=Box(-2.0, 2.0, (1,)))])


def test_bounds_that_tables_take_from_their_data_are_joined() -> None:
    """Actions from -0.5 to 0.4, 0.1 to 0.9 and -0.7 to 0.2."""
    tables = [rows(), rows(valve=[0.1, 0.2, 0.3, None, 0.4, 0.9, None])]
    tables.append(rows(valve=[0.1, 0.2, -0.7, None, 0.0, 0.1, None]))
    both = load_transitions(tables[:2], columns=COLUMNS)
    assert both.action_space == Box(-0.5, 0.9, (1,))
    assert load_transitions(tables, columns=COLUMNS).action_space == Box(-0.7, 0.9, (1,))
    third = load_transitions(tables[2], columns=COLUMNS)
    assert concatenate([both, third]).action_space == Box(-0.7, 0.9, (1,))
    half_given = load_transitions(tables, columns=COLUMNS | {"action_low": -2})
    assert half_given.action_space == Box(-2.0, 0.9, (1,))


@pytest.mark.parametrize(
    "others",
    [{"columns": COLUMNS | {"action_low": -2}}, {"columns": COLUMNS, "action_space": Box(-1, 1, (1,))}],
)
def test_bounds_that_are_given_are_not_widened(others: dict[str, Any]) -> None:
    given = [
        load_transitions(rows(), columns=COLUMNS | {"action_low": -1}),
        load_transitions(rows(), **others),
    ]
    for parts in (given, given[::-1]):
        with pytest.raises(DatasetError, match=r"same action space: .*'action_low'"):
            concatenate(parts)


def test_the_environment_is_kept_if_all_agree() -> None:
    pendulum = transitions(env_spec=gym.spec("Pendulum-v1"))
    assert concatenate([pendulum, pendulum]).env_id == "Pendulum-v1"
    assert concatenate([pendulum, transitions()]).env_id is None


def test_different_environments_need_a_choice() -> None:
    """One environment with two settings is two environments: their rewards and ends may differ."""
    space = gym.make("Pendulum-v1").observation_space
    for dataset_id, gravity in (("earth-v0", 9.81), ("moon-v0", 1.62)):
        env = gym.make("Pendulum-v1", g=gravity)
        still = episode(0, 2, observations=np.zeros((3, 3), np.float32))
        write_minari(dataset_id, [still], observation_space=space, action_space=env.action_space, env=env)
    with pytest.raises(DatasetError, match=r"different environments: Pendulum-v1 .*1.62.*9.81.*Pass env_id="):
        load_transitions(["earth-v0", "moon-v0"])
    assert load_transitions(["earth-v0", "moon-v0"], env_id="Pendulum-v1").env_id == "Pendulum-v1"


def test_environments_in_other_wrappers_need_a_choice() -> None:
    """Actions that one part's wrapper rescales mean something else in the other part."""
    bare = gym.spec("Pendulum-v1")
    wrapped = [
        replace(
            bare, additional_wrappers=(WrapperSpec("RescaleAction", "gymnasium.wrappers:RescaleAction", k),)
        )
        for k in ({"min_action": -1.0, "max_action": 1.0}, {"min_action": -3.0, "max_action": 3.0})
    ]
    specs = [bare, *wrapped]
    for one, other in permutations(specs, 2):
        with pytest.raises(DatasetError, match=r"different environments: .* in RescaleAction .*Pass env_id="):
            concatenate([transitions(env_spec=one), transitions(env_spec=other)])
    assert concatenate([transitions(env_spec=wrapped[0])] * 2).env_spec == wrapped[0]


@pytest.mark.parametrize(("limits", "longest"), [((100, 200), "200"), ((200, None), "inf")])
def test_the_longest_time_limit_is_taken_in_any_order(limits: tuple[Any, Any], longest: str) -> None:
    """A shorter one would cut what the other part's policy was scored on."""
    specs = [replace(gym.spec("Pendulum-v1"), max_episode_steps=limit) for limit in limits]
    recorded = [replace(spec, kwargs={"g": 1.0}) for spec in specs]
    parts = [transitions(env_spec=s, recorded_env_spec=r) for s, r in zip(specs, recorded, strict=True)]
    for ordered in (parts, parts[::-1]):
        with pytest.warns(UserWarning, match=rf"time limits .*: {limits[0]}, {longest}\. .*env_id=") as said:
            both = concatenate(ordered)
        assert len(said) == 1
        assert (both.env_spec, both.recorded_env_spec) == (specs[1], recorded[1])
    known = [transitions(env_spec=s, obs=torch.zeros(4, 3), next_obs=torch.zeros(4, 3)) for s in specs]
    assert load_transitions(known, env_id="Pendulum-v1").env_id == "Pendulum-v1"


def test_other_parts_of_a_dict_are_refused_also_with_an_environment() -> None:
    """The remedy of the message works for other bounds; for other parts it would mix up their columns."""
    rows = cart_rows(1)
    turned = {"place": "speed", "speed": "place"}
    other = {
        **rows,
        **{field: {turned[n]: v for n, v in rows[field].items()} for field in ("obs", "next_obs")},
    }
    with pytest.raises(DatasetError, match=r"same Dict of observations.*the same parts by name; where only"):
        load_transitions([rows, other])
    with pytest.raises(DatasetError, match="rename the parts"):
        load_transitions([rows, other], env_id="Cart-v0")
    bounded = load_transitions(rows, env_id="Cart-v0")
    with pytest.raises(DatasetError, match="where only their bounds differ, env_id="):
        load_transitions([rows, bounded])
    assert load_transitions([rows, bounded], env_id="Cart-v0").obs_space == bounded.obs_space


def test_infos_that_all_have_are_kept() -> None:
    some = {"x": torch.ones(4), "y": torch.ones(4)}
    with pytest.warns(UserWarning, match=r"Infos \['y'\] are left out"):
        both = concatenate([transitions(infos=some), transitions(infos={"x": torch.zeros(4)})])
    assert {name: values.tolist() for name, values in both.infos.items()} == {"x": [1] * 4 + [0] * 4}

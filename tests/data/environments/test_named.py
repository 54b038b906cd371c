from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from offline_envs.data import known_environment, load_transitions, named_environment
from offline_envs.errors import DatasetError, SettingsError
from tests.data.worlds import arrays

pytestmark = pytest.mark.filterwarnings("ignore:.*Ant-v4 is out of date:DeprecationWarning")

FORCES = {"use_contact_forces": True}


def test_a_specification_with_keywords_fits_data_of_d4rls_ant() -> None:
    """D4RL's ant has 111 columns: 27 and 84 contact forces."""
    zeros = np.zeros((5, 111))
    data = arrays(observations=zeros, next_observations=zeros, actions=np.zeros((5, 8)))
    with pytest.raises(DatasetError, match=r"111 observation dimensions, but Ant-v4 has 27.*--env-kwargs"):
        load_transitions(data, env_id="Ant-v4")
    for env_id in (gym.make("Ant-v4", **FORCES).spec, named_environment("Ant-v4", FORCES)):
        loaded = load_transitions(data, env_id=env_id)
        assert loaded.env_id == "Ant-v4"
        assert loaded.make_env().observation_space.shape == (111,)


def test_keywords_join_those_of_the_registry_and_change_nothing_there() -> None:
    spec = named_environment("Pendulum-v1", {"g": 1.0})
    assert not isinstance(spec, str)
    assert spec is not None
    assert spec.kwargs == {"g": 1.0}
    assert gym.spec("Pendulum-v1").kwargs == {}
    twice = named_environment(spec, {"render_mode": "rgb_array"})
    assert twice.kwargs == {"g": 1.0, "render_mode": "rgb_array"}  # type: ignore[union-attr]
    assert named_environment("Pendulum-v1", {}) == "Pendulum-v1"
    assert named_environment(None, {}) is None


def test_keywords_need_an_environment() -> None:
    with pytest.raises(SettingsError, match=r"env_kwargs=\{'g': 1\} belong to an environment.*--env-id"):
        named_environment(None, {"g": 1})
    with pytest.raises(DatasetError, match="env_id='Pendulun-v1' cannot be made"):
        named_environment("Pendulun-v1", {"g": 1})


def test_other_keywords_are_other_environments() -> None:
    """The dataset is kept in memory by what the user says of it."""
    zeros = np.zeros((5, 3))
    data = load_transitions(arrays(observations=zeros, next_observations=zeros))
    for g in (1.0, 2.0):
        env = load_transitions(data, env_id=named_environment("Pendulum-v1", {"g": g})).make_env()
        assert env.unwrapped.g == g  # type: ignore[attr-defined]


def test_the_users_word_imports_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import gymnasium as gym\ngym.register('Named-v0', gym.spec('Pendulum-v1').entry_point)\n"
    (tmp_path / "registers_named.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert known_environment("registers_named:Named-v0").spec.id == "Named-v0"
    finally:
        del gym.registry["Named-v0"]


def test_wrong_keywords_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"env_id='Pendulum-v1' cannot be made: .*gravity"):
        known_environment(named_environment("Pendulum-v1", {"gravity": 1}) or "")

import warnings

import gymnasium as gym
import pytest

from offline_envs.data import load_transitions
from offline_envs.data.environments.making import make_real_env
from offline_envs.errors import DatasetError
from tests.data.worlds import write_pendulum

NORMALIZE = {
    "name": "NormalizeObservation",
    "entry_point": "gymnasium.wrappers.stateful_observation:NormalizeObservation",
    "kwargs": {"epsilon": 1e-8},
}
MONITOR = {"name": "Monitor", "entry_point": "stable_baselines3.common.monitor:Monitor", "kwargs": None}


def test_statistics_that_data_do_not_hold_are_warned_about() -> None:
    write_pendulum("normalized-v0", additional_wrappers=[NORMALIZE])
    data = load_transitions("normalized-v0")
    with pytest.warns(UserWarning, match=r"NormalizeObservation, whose running statistics it does not hold"):
        env = data.make_env()
    assert isinstance(env, gym.wrappers.NormalizeObservation)


def test_a_wrapper_that_cannot_be_made_again_is_one_line() -> None:
    write_pendulum("monitor-v0", additional_wrappers=[MONITOR])
    with pytest.raises(DatasetError, match=r"in 'Monitor', made by 'stable.*:Monitor'.*\(--env-id\)"):
        load_transitions("monitor-v0").make_env()
    trusted = load_transitions("monitor-v0", trust_dataset=True)
    with pytest.raises(DatasetError, match=r"Pendulum-v1 cannot be made: ValueError: Monitor.*\(--env-id\)"):
        trusted.make_env()
    named = load_transitions("monitor-v0", env_id="Pendulum-v1")
    assert named.make_env().spec == gym.make("Pendulum-v1").spec


def test_a_missing_package_is_one_line() -> None:
    write_pendulum("foo-v0", id="Foo-v0", entry_point="no_such_package.foo:Foo")
    with pytest.raises(DatasetError, match=r"'Foo-v0', made by 'no_such_package.foo:Foo', is not registered"):
        load_transitions("foo-v0").make_env()
    trusted = load_transitions("foo-v0", trust_dataset=True)
    with pytest.raises(DatasetError, match=r"Foo-v0 cannot be made: ModuleNotFoundError: .*no_such_package"):
        trusted.make_env()


def test_keywords_go_to_the_environment() -> None:
    spec = gym.spec("Pendulum-v1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make_real_env(spec, "Data", g=1.0).unwrapped.g == 1.0  # type: ignore[attr-defined]
    with pytest.raises(
        DatasetError, match=r"Pendulum-v1 cannot be made: TypeError: .*'gravity'.*\. Name one"
    ):
        make_real_env(spec, "Data", gravity=1.0)

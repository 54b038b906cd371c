from dataclasses import fields

import pytest

from offline_envs.runs import ALGORITHMS, EVERY_RUN, IN_MODEL, ModelBased, TrainSettings, merged
from offline_envs.runs.algorithms.model_free.baseline import ModelFree

SETTINGS = {field.name for field in fields(TrainSettings)}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_an_algorithm_uses_are_settings_of_a_run(name: str) -> None:
    entry = ALGORITHMS[name]
    assert len(set(entry.uses)) == len(entry.uses)
    agent = set() if isinstance(entry, ModelFree) else {"agent", "agent_options"}
    assert set(EVERY_RUN) - {"agent", "agent_options"} | agent <= set(entry.uses) <= SETTINGS
    assert ("model" in entry.uses) == isinstance(entry, ModelBased)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_defaults_are_settings_of_a_run(name: str) -> None:
    entry = ALGORITHMS[name]
    for defaults in (entry.defaults, *entry.agent_defaults.values()):
        assert set(defaults) <= SETTINGS


def test_each_setting_is_used_by_some_algorithm() -> None:
    assert {name for entry in ALGORITHMS.values() for name in entry.uses} == SETTINGS


def test_the_models_settings_are_those_of_mbpo() -> None:
    assert set(ALGORITHMS["mbpo"].uses) == set(IN_MODEL)
    assert set(ALGORITHMS["mopo"].uses) - set(IN_MODEL) == {"penalty_coef", "penalty_scale"}
    assert set(ALGORITHMS["rambo"].uses) - set(IN_MODEL) == {"adversary", "adversary_every"}


def test_settings_by_name_are_merged_and_others_replaced() -> None:
    before = {"fit": {"a": 1, "b": 2}, "horizon": 5}
    assert merged(before, {"fit": {"b": 3}, "horizon": 6}) == {"fit": {"a": 1, "b": 3}, "horizon": 6}
    assert before["fit"] == {"a": 1, "b": 2}

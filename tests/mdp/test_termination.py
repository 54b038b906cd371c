import re
import warnings
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import LearnedTermination
from offline_envs.errors import SettingsError
from offline_envs.mdp.termination import Agreement, agreement, resolve_termination
from offline_envs.tasks import never
from tests.toy import right_of_six, toy_transitions


def ended_transitions() -> Transitions:
    """The toy dataset with the last step of every episode terminated."""
    return replace(toy_transitions(), terminated=torch.tensor([False, False, True] * 3))


def resolve(option: Any, transitions: Transitions) -> Any:
    return resolve_termination(option, transitions, device="cpu", cache_dir=None)


def test_agreement_counts_what_is_missed_and_invented() -> None:
    def last_of_all(obs: Any, action: Any, next_obs: Any) -> Any:
        return (next_obs[:, 0] == 3) & (next_obs[:, 1] < 2) | (next_obs[:, 0] == 1) & (next_obs[:, 1] == 0)

    found = agreement(last_of_all, ended_transitions())
    assert found == Agreement(rows=9, missed=1, invented=1)
    assert found.rate == pytest.approx(7 / 9)


def test_a_rule_that_disagrees_with_the_data_is_reported() -> None:
    with pytest.warns(UserWarning, match=r"agrees with 66\.67% of the rows of toy: it misses 3 of 3"):
        assert resolve("never", ended_transitions()) is never


def test_a_callable_is_used_as_it_is() -> None:
    assert resolve(right_of_six, toy_transitions()) is right_of_six


@pytest.mark.parametrize(
    "rule",
    [lambda obs, action, next_obs: next_obs[:, :1] > 6, lambda obs, action, next_obs: next_obs[:, 0] * 0],
    ids=["shape", "type"],
)
def test_a_callable_that_does_not_return_one_bool_a_row_is_refused(rule: Any) -> None:
    with pytest.raises(SettingsError, match=r"must return a bool tensor of shape \(9,\)"):
        resolve(rule, toy_transitions())


@pytest.mark.parametrize("found", [False, [False] * 9, None], ids=["bool", "list", "None"])
def test_a_callable_that_returns_something_else_is_told_what_is_needed(found: Any) -> None:
    message = r"must return a bool tensor of shape \(9,\), or such an array, .* each row .*; got "
    with pytest.raises(SettingsError, match=message + re.escape(repr(found))):
        resolve(lambda obs, action, next_obs: found, toy_transitions())


def test_a_callable_may_return_arrays() -> None:
    """A rule of NumPy's functions, e.g. one taken from the environment's own source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it disagrees with the dataset
        rule = resolve(lambda obs, action, next_obs: np.asarray(next_obs)[:, 0] > 2.5, toy_transitions())
    obs = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    ended = rule(obs, torch.zeros(2, 1), obs + 1)
    assert ended.dtype == torch.bool
    assert ended.tolist() == [False, True]


def test_an_array_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"bool tensor of shape \(9,\).* got torch.int64 of shape \(9,\)"):
        resolve(lambda obs, action, next_obs: np.zeros(len(obs), dtype=int), toy_transitions())


def test_auto_takes_the_rule_of_the_environment_of_the_data() -> None:
    obs = torch.zeros(4, 4)
    obs[:, 1] = torch.tensor([0.0, 0.1, 0.3, 0.0])
    pendulum = Transitions(
        obs=torch.zeros(4, 4),
        actions=torch.zeros(4, 1),
        rewards=torch.ones(4),
        next_obs=obs,
        terminated=torch.tensor([False, False, True, False]),
        episode_starts=torch.tensor([0, 3]),
        action_space=gym.spaces.Box(-3, 3, (1,)),
        env_spec=gym.spec("InvertedPendulum-v5"),
    )
    rule = resolve("auto", pendulum)
    assert rule(pendulum.obs, pendulum.actions, pendulum.next_obs).tolist() == [False, False, True, False]


def test_learned_is_trained_on_the_data() -> None:
    assert isinstance(resolve("learned", ended_transitions()), LearnedTermination)


def test_a_learned_rule_that_disagrees_with_the_data_is_reported() -> None:
    """Nothing tells these terminations from other steps, so that no head can learn them."""
    same = torch.zeros(9, 2)
    ended = replace(ended_transitions(), obs=same, next_obs=same, actions=torch.zeros(9, 1))
    with pytest.warns(UserWarning, match="The termination rule agrees with"):
        resolve("learned", ended)


def test_what_cannot_be_resolved_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Unknown termination 'maybe'. Valid: a callable, auto, learned"):
        resolve("maybe", toy_transitions())
    with pytest.raises(SettingsError, match="Pass env_id=, or termination='learned', 'never' or a function"):
        resolve("auto", toy_transitions())

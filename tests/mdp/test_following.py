from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.envs import ModelOptions, assemble
from offline_envs.errors import SettingsError
from offline_envs.evaluation import model_return
from offline_envs.mdp import LearnedMDP, ModelWorld, drop_ended, follow, keep_all
from tests.toy import counting_ensemble, toy_ensemble, toy_transitions


def right_of_three(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 2.5


def counting_mdp() -> LearnedMDP:
    """Every step adds 1 to obs₀ and gives a reward of 1; the episode ends right of 2.5."""
    options = ModelOptions(model=counting_ensemble(), termination="never")
    mdp = assemble(toy_transitions(), options=options).mdp
    return replace(mdp, termination=right_of_three)


def idle(obs: Tensor) -> Tensor:
    return torch.zeros(len(obs), 1)


def starts() -> Tensor:
    return torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])


def test_rows_are_followed_to_the_end_of_their_episode() -> None:
    world = ModelWorld(counting_mdp(), starts(), torch.Generator().manual_seed(0))
    steps = list(follow(idle, world))
    assert [followed.rows.tolist() for followed in steps] == [[0, 1, 2], [0, 1], [0]]
    assert [followed.obs[:, 0].round().tolist() for followed in steps] == [[0, 1, 2], [1, 2], [2]]


def test_or_beyond_it_for_as_long_as_is_asked() -> None:
    world = ModelWorld(counting_mdp(), starts(), torch.Generator().manual_seed(0), further=keep_all)
    steps = follow(idle, world)
    for _ in range(5):
        assert next(steps).rows.tolist() == [0, 1, 2]
    assert world.obs[:, 0].round().tolist() == [5, 6, 7]


def test_a_truncated_row_is_not_followed_either() -> None:
    step = counting_mdp().step(starts(), idle(starts()), torch.Generator().manual_seed(0))
    cut = step._replace(truncated=torch.tensor([True, False, False]))
    assert drop_ended(cut).tolist() == [False, True, False]


def test_a_policy_may_write_to_its_actions_again() -> None:
    memory = torch.zeros(3, 1)

    def reuse(obs: Tensor) -> Tensor:
        memory.add_(1)
        return memory[: len(obs)]

    steps = list(follow(reuse, ModelWorld(counting_mdp(), starts(), torch.Generator().manual_seed(0))))
    assert [float(followed.action[0, 0]) for followed in steps] == [1.0, 2.0, 3.0]


def test_what_is_no_tensor_is_refused() -> None:
    policy: Any = lambda obs: [0.0] * len(obs)  # noqa: E731
    with pytest.raises(SettingsError, match="A policy must return a tensor, got list"):
        next(follow(policy, ModelWorld(counting_mdp(), starts(), torch.Generator())))


def test_what_predicts_is_no_function() -> None:
    agent: Any = SimpleNamespace(predict=lambda obs: (obs, None))
    with pytest.raises(SettingsError, match=r"must be a function .*, got SimpleNamespace\..*as_policy"):
        next(follow(agent, ModelWorld(counting_mdp(), starts(), torch.Generator())))


def test_rows_keep_what_they_are_given_until_their_episode_ends() -> None:
    """Members 1 and 2 move obs₀ by 1 and by 2 a step; each row follows the elite that it was given."""
    means = ((0.0, 9.0, 0.0), (0.0, 1.0, 0.0), (0.0, 2.0, 0.0))
    options = ModelOptions(model=toy_ensemble(means, ((1e-6,) * 3,) * 3, (1, 2)), termination="never")
    mdp = replace(assemble(toy_transitions(), options=options).mdp, termination=right_of_three)
    kept = torch.tensor([0, 1, 0])
    world = ModelWorld(mdp, torch.zeros(3, 2), torch.Generator().manual_seed(0), kept=kept)
    steps = list(follow(idle, world))
    assert [followed.rows.tolist() for followed in steps] == [[0, 1, 2], [0, 1, 2], [0, 2]]
    moved = [followed.step.next_obs[:, 0].round().tolist() for followed in steps]
    assert moved == [[1, 2, 1], [2, 4, 2], [3, 3]]


@pytest.mark.parametrize("per_episode", [True, False])
def test_episodes_that_begin_draw_what_they_keep(per_episode: bool) -> None:
    """Members give rewards of 1 and −1: over 16 steps an episode that keeps one has 16 or −16."""
    means = ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0))
    member = "episode" if per_episode else "step"
    model = toy_ensemble(means, ((1e-6,) * 3,) * 2, (0, 1))
    world = assemble(toy_transitions(), options=ModelOptions(model=model, termination="never", member=member))
    returns = model_return(world.mdp, world.starts, idle, n_episodes=20, max_steps=16, seed=0)
    kept = set(returns.round()) == {16.0, -16.0}
    assert kept == per_episode

import pytest
import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics
from offline_envs.envs import LearnedMDP, Penalize
from offline_envs.mdp import mdp
from offline_envs.mdp.guard import Guard
from offline_envs.mdp.members import Members
from offline_envs.tasks import never
from tests.toy import ELITES, MEANS, STDS, right_of_six, toy_ensemble, toy_transitions


def make_mdp(ensemble: EnsembleDynamics | None = None, **changes: object) -> LearnedMDP:
    guard = Guard.from_transitions(toy_transitions())
    evaluated = Members.of(ensemble or toy_ensemble(), "all")
    settings = {"members": evaluated, "termination": never, "guard": guard, **changes}
    return LearnedMDP(**settings)  # type: ignore[arg-type]


def by_hand(obs: Tensor, generator: torch.Generator) -> Tensor:
    """(reward, next_obs) of each row: draw elites, then noise, and shift and scale the noise."""
    elite = torch.randint(len(ELITES), (len(obs),), generator=generator)
    noise = torch.randn((len(obs), 3), generator=generator)
    member = torch.tensor(ELITES)[elite]
    outcome = torch.tensor(MEANS)[member] + torch.tensor(STDS)[member] * noise
    outcome[:, 1:] += obs
    return outcome


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_samples_reward_and_next_obs_from_one_elite_a_row() -> None:
    obs = torch.arange(10.0).reshape(5, 2)
    step = make_mdp().step(obs, torch.zeros(5, 1), seeded())
    expected = by_hand(obs, seeded())
    torch.testing.assert_close(step.reward, expected[:, 0])
    torch.testing.assert_close(step.next_obs, expected[:, 1:])
    assert not step.terminated.any()
    assert not step.exploded.any()
    assert step.penalty.tolist() == [0.0] * 5


def test_never_draws_from_a_member_outside_the_elites() -> None:
    means = ((0.0, 0.0, 0.0), (1000.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    tiny = ((1e-6,) * 3,) * 3
    step = make_mdp(toy_ensemble(means, tiny)).step(torch.zeros(500, 2), torch.zeros(500, 1), seeded())
    assert step.reward.abs().max() < 1e-4


def test_rows_draw_another_elite_at_every_step() -> None:
    step = make_mdp(toy_ensemble(stds=((1e-6,) * 3,) * 3)).step(
        torch.zeros(1000, 2), torch.zeros(1000, 1), seeded()
    )
    share = (step.reward > 2.5).float().mean()  # member 2 pays 4, member 0 pays 1
    assert 0.4 < share < 0.6


def test_terminates_by_the_rule_on_the_sampled_successor() -> None:
    obs = torch.full((200, 2), 6.0)
    step = make_mdp(termination=right_of_six).step(obs, torch.zeros(200, 1), seeded())
    assert step.terminated.tolist() == (step.next_obs[:, 0] > 6).tolist()
    assert step.terminated.any()
    assert not step.terminated.all()


def test_penalty_is_subtracted_and_reported() -> None:
    obs = torch.zeros(4, 2)
    plain = make_mdp().step(obs, torch.zeros(4, 1), seeded())
    step = make_mdp(transform=Penalize(0.5)).step(obs, torch.zeros(4, 1), seeded())
    torch.testing.assert_close(step.penalty, torch.full((4,), 3.5))
    assert torch.equal(step.raw_reward, plain.reward)
    assert torch.equal(step.reward, step.raw_reward - step.penalty)
    assert torch.equal(step.next_obs, plain.next_obs)


@pytest.mark.parametrize("chunk", [1, 7, 256])
def test_result_does_not_depend_on_the_chunks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    obs, action = torch.randn(1000, 2, generator=seeded(1)), torch.zeros(1000, 1)
    monkeypatch.setattr(mdp, "CPU_CHUNK", 1000)
    whole = make_mdp(transform=Penalize(1.0)).step(obs, action, seeded())
    monkeypatch.setattr(mdp, "CPU_CHUNK", chunk)
    parts = make_mdp(transform=Penalize(1.0)).step(obs, action, seeded())
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)


def test_step_returns_fresh_tensors_and_leaves_its_inputs_alone() -> None:
    obs, action = torch.zeros(3, 2), torch.zeros(3, 1)
    step = make_mdp().step(obs, action, seeded())
    step.next_obs.fill_(99.0)
    assert torch.equal(obs, torch.zeros(3, 2))
    assert torch.equal(action, torch.zeros(3, 1))


def test_same_generator_seed_gives_the_same_step() -> None:
    obs, action = torch.zeros(3, 2), torch.zeros(3, 1)
    first, second = (make_mdp().step(obs, action, seeded(5)) for _ in range(2))
    assert torch.equal(first.next_obs, second.next_obs)
    assert not torch.equal(first.next_obs, make_mdp().step(obs, action, seeded(6)).next_obs)

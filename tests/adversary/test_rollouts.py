import math
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor

from offline_envs.adversary import AdversarySettings
from offline_envs.adversary.rollouts import Rollouts
from offline_envs.dynamics import EnsembleDynamics
from offline_envs.mdp.starts import StartStates
from tests.adversary.toy import AlwaysRight, adversary_of, known, two_states
from tests.toy import toy_ensemble

DATA = two_states(400)
B = 500


def walk(termination: Any = "never", ensemble: EnsembleDynamics | None = None, **settings: Any) -> Rollouts:
    """Episodes in a model with reward 1 that moves by 5 at every step, up to noise of 1e-3."""
    model = ensemble or toy_ensemble(((1.0, 5.0),) * 2, ((1e-3, 1e-3),) * 2, (0, 1))
    options: dict[str, Any] = {"dataset": DATA, "model": model, "termination": termination}
    env: Any = gym.make("AdversarialModel-v0", **options).unwrapped
    starts = StartStates.from_transitions(DATA, "dataset", device="cpu")
    return Rollouts(env.mdp, starts, AdversarySettings(batch_size=B, **settings))


def ended_beyond_4(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 5.5


def starts_of(rollouts: Rollouts, n_steps: int) -> list[list[float]]:
    """The distinct observations, rounded, at which each of the steps starts."""
    generator = torch.Generator().manual_seed(0)
    steps = [rollouts.step(AlwaysRight(), generator) for _ in range(n_steps)]
    return [step.obs.round().unique().tolist() for step in steps]


def test_episodes_begin_at_the_data_and_again_at_the_horizon() -> None:
    assert starts_of(walk(horizon=2), 5) == [[0, 1], [5, 6], [0, 1], [5, 6], [0, 1]]


def test_episodes_that_ended_restart_or_continue_as_in_the_release() -> None:
    """State 1 leads to 6, where the task ends; state 0 leads to 5, where it does not."""
    assert starts_of(walk(ended_beyond_4, horizon=3), 2) == [[0, 1], [0, 1, 5]]
    assert starts_of(walk(ended_beyond_4, horizon=3, restart_ended=False), 2) == [[0, 1], [5, 6]]


def test_the_fields_of_a_step_are_consistent() -> None:
    step = walk(ended_beyond_4).step(AlwaysRight(), torch.Generator().manual_seed(0))
    assert bool((step.action == 1).all())
    assert float((step.reward - 1).abs().max()) < 0.01
    assert float((step.next_obs - step.obs - 5).abs().max()) < 0.01
    assert torch.equal(step.terminated, step.obs[:, 0] > 0.5)
    assert not bool(step.exploded.any())


def test_log_prob_is_that_of_what_was_drawn_under_the_elites() -> None:
    """The member that is not an elite, with a distant mean, affects neither draws nor density."""
    means, stds = ((1.0, 0.5), (9.0, 9.0), (2.0, -0.5)), ((0.5, 0.25), (0.1, 0.1), (1.0, 2.0))
    rollouts = walk(ensemble=toy_ensemble(means, stds, (2, 0)))
    step = rollouts.step(AlwaysRight(), torch.Generator().manual_seed(0))
    drawn = torch.stack([step.reward, (step.next_obs - step.obs)[:, 0]], dim=1).double()
    density = torch.zeros(B, dtype=torch.float64)
    for member in (0, 2):
        normal = torch.distributions.Normal(torch.tensor(means[member]), torch.tensor(stds[member]))
        density += 0.5 * normal.log_prob(drawn).sum(dim=1).exp()
    torch.testing.assert_close(step.log_prob.double(), density.log(), rtol=1e-4, atol=1e-4)
    assert float(drawn[:, 0].mean()) == pytest.approx(1.5, abs=0.1)
    assert step.log_prob.requires_grad


@pytest.mark.parametrize("delta", [1e6, math.nan])
def test_steps_that_explode_end_where_they_were(delta: float) -> None:
    ensemble = toy_ensemble(((1.0, delta),), ((0.5, 0.5),), (0,))
    step = walk(ensemble=ensemble).step(AlwaysRight(), torch.Generator().manual_seed(0))
    assert bool((step.exploded & step.terminated).all())
    assert torch.equal(step.next_obs, step.obs)


def test_steps_that_explode_have_no_weight() -> None:
    """The environment ends them with the lowest reward, so a model could win by exploding everywhere."""
    ensemble = known(DATA, (1.0, 0.0), (0.5, 12.0))  # bounds of next_obs are about ±15
    report = adversary_of(DATA, ensemble, batch_size=B).update(AlwaysRight(), 1)
    step = walk(ensemble=ensemble).step(AlwaysRight(), torch.Generator().manual_seed(0))
    assert 10 < int(step.exploded.sum()) < B - 10
    gain = step.reward + 0.99 * step.next_obs[:, 0] * ~step.terminated - 2
    weight = (gain - gain.mean()) / gain.std(correction=0) * ~step.exploded
    expected = float((weight * step.log_prob.detach()).mean())
    assert report.adversarial_loss == pytest.approx(expected, rel=1e-4)

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from offline_envs.envs import Assembly, ModelOptions, assemble
from offline_envs.errors import SettingsError
from offline_envs.evaluation import model_return
from offline_envs.evaluation.off_policy.model_based import ImaginedReturns, imagined_returns
from offline_envs.methods import SELECTIONS, CandidateSampler, Halt, Method, Penalty
from tests.toy import (
    counting_ensemble,
    quiet_ensemble,
    spreading_ensemble,
    toy_ensemble,
    toy_transitions,
)


class Idle:
    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        assert deterministic
        return np.zeros((len(observation), 1), np.float32), None


def beyond_six(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0] > 6.5


def to_the_right(obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
    del obs, action  # Unused.
    return next_obs[:, 0]


def world(model: Any, method: Method | None = None, termination: Any = "never") -> Assembly:
    options = ModelOptions(model=model, start="initial", termination=termination)
    return assemble(toy_transitions(), method, options)


def returns(made: Assembly, **options: Any) -> ImaginedReturns:
    return imagined_returns(made.mdp, made.starts, Idle(), **{"n_episodes": 4, "max_steps": 10, **options})


def test_an_episode_keeps_its_elite() -> None:
    """Elites 2 and 0 pay 4 and 1 a step: over ten steps 40 and 10, and nothing in between."""
    found = returns(world(quiet_ensemble()))
    assert found.raw[0].tolist() == pytest.approx([40] * 4, abs=1e-3)
    assert found.raw[1].tolist() == pytest.approx([10] * 4, abs=1e-3)
    estimate = found.estimate(pessimistic=False)
    assert estimate.members == pytest.approx((40, 10), abs=1e-3)
    assert estimate.value == pytest.approx(25, abs=1e-3)
    assert estimate.interval == pytest.approx((10, 40), abs=1e-3)
    assert (estimate.horizon, estimate.gamma, estimate.effective_sample_size) == (10, 1.0, None)


def test_with_a_single_elite_it_is_the_forecast_of_runs() -> None:
    """The same starts and noise, so the same numbers, where there is nothing to keep."""
    made = world(counting_ensemble(), Penalty(), beyond_six)
    single = world(toy_ensemble(((1.0, 1.0, 0.0),) * 3, ((1e-6,) * 3,) * 3, (1,)), Penalty(), beyond_six)
    expected = model_return(made.mdp, made.starts, Idle(), n_episodes=4, max_steps=100, seed=3)
    found = returns(single, max_steps=100, seed=3)
    assert found.raw[0].tolist() == pytest.approx(expected.tolist(), abs=1e-4)
    assert found.lengths.tolist() == [[7] * 4]


def test_penalties_are_taken_off() -> None:
    made = world(quiet_ensemble(), Penalty(penalty_coef=0.5, penalty="max_deviation"))
    found = returns(made, max_steps=1)
    # The means of Δobs are (0.1, 0), (0, 6) and (-0.1, 0): member 1 is 4 from their average.
    assert (found.raw - found.pessimistic).flatten().tolist() == pytest.approx([0.5 * 4] * 8, abs=1e-3)


def test_halts_count_with_their_reward() -> None:
    """From obs₀ = 0 the fourth step is unknown; a halt pays the lowest reward, −4, less 100."""
    method = Halt(threshold={"max_over": 0.8}, units="raw")
    found = returns(world(spreading_ensemble(), method))
    assert found.pessimistic.flatten().tolist() == pytest.approx([3 - 104] * 4, abs=1e-3)
    assert found.lengths.flatten().tolist() == [4] * 4
    assert bool(found.cut.all())
    assert not bool(found.exploded.any())
    truncated = returns(
        world(spreading_ensemble(), Halt(threshold={"max_over": 0.8}, units="raw", on_unknown="truncate"))
    )
    assert truncated.pessimistic.flatten().tolist() == pytest.approx([4] * 4, abs=1e-3)
    assert bool(truncated.cut.all())


def test_discounted_sums() -> None:
    """1 + 1/2 + 1/4 at a reward of 1."""
    found = returns(world(counting_ensemble()), max_steps=3, gamma=0.5)
    assert found.raw.flatten().tolist() == pytest.approx([1.75] * 8, abs=1e-4)
    assert not bool(found.cut.any())


def test_numbers_out_of_range_are_refused() -> None:
    made = world(counting_ensemble())
    with pytest.raises(SettingsError, match="n_episodes and max_steps must be at least 1, got 0 and 10"):
        returns(made, n_episodes=0)
    with pytest.raises(SettingsError, match="gamma must be above 0"):
        returns(made, gamma=2.0)


def test_the_spread_of_the_mdp_is_kept() -> None:
    """With half of the distances, elites that pay 4 and 1 pay 3.25 and 1.75."""
    options = ModelOptions(model=quiet_ensemble(), start="initial", termination="never", spread=0.5)
    found = returns(assemble(toy_transitions(), None, options))
    assert found.raw[0].tolist() == pytest.approx([32.5] * 4, abs=1e-3)
    assert found.raw[1].tolist() == pytest.approx([17.5] * 4, abs=1e-3)


def test_a_sampler_that_follows_no_elite_chooses_as_it_does_in_episodes() -> None:
    """Elite 2 moves to the left and pays 4, elite 0 to the right and pays 1: who prefers the right has 1."""
    made = world(quiet_ensemble())
    elites = made.mdp.members.elites
    chosen = CandidateSampler(to_the_right, elites, 1, SELECTIONS["argmax"], 1.0)
    made = made._replace(mdp=replace(made.mdp, sampler=chosen))
    found = returns(made)
    assert found.raw.flatten().tolist() == pytest.approx([10] * 8, abs=1e-3)

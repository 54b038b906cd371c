import numpy as np
import torch
from torch import Tensor

from offline_envs.planning import ICEM, ICEMSettings
from tests.planning.worlds import SPACE, world


def value(plans: Tensor) -> Tensor:
    """Best where the first action is 0.3; free of ties, which actions cut at a bound would have."""
    return -((plans[..., 0, 0] - 0.3) ** 2).double()


class Spied(ICEM):
    """Keeps the candidates of every iteration, and values them by their first action."""

    def values(self, obs: Tensor, plans: Tensor) -> Tensor:
        self.candidates: list[Tensor] = [*getattr(self, "candidates", []), plans]
        del obs  # Unused.
        return value(plans).masked_fill(plans[:, :, 0, 0].isnan(), -torch.inf)


def spied() -> Spied:
    return Spied(world(), SPACE, ICEMSettings(horizon=4))


def first_of(plans: Tensor, k: int) -> Tensor:
    """The k best of `(N, H, 1)`."""
    return plans[value(plans).topk(k).indices]


def test_the_number_of_candidates_falls_and_elites_stay() -> None:
    """40, 32 and 25 samples, 3 kept elites each, and the mean in the last iteration beside them."""
    planner = spied()
    planner(torch.zeros(1, 1))
    assert [plans.shape[1] for plans in planner.candidates] == [40 + 3, 32 + 3, 25 + 3 + 1]
    first, second, last = (plans[0] for plans in planner.candidates)
    assert first[40:].isnan().all()  # there is nothing to keep yet
    torch.testing.assert_close(second[32:], first_of(first[:40], 3))
    torch.testing.assert_close(last[25:28], first_of(second, 3))


def test_the_last_candidate_is_the_mean_of_the_elites() -> None:
    planner = spied()
    planner(torch.zeros(1, 1))
    first, second, last = (plans[0] for plans in planner.candidates)
    once = 0.9 * first_of(first[:40], 10).mean(0)
    twice = 0.1 * once + 0.9 * first_of(second, 10).mean(0)
    torch.testing.assert_close(last[28], twice)


def test_the_first_action_of_the_best_plan_is_taken() -> None:
    planner = spied()
    action = planner(torch.zeros(1, 1))
    assert action.item() == first_of(planner.candidates[-1][0], 1)[0, 0].item()


def test_the_next_decision_begins_with_the_shifted_elites() -> None:
    """The last action is repeated, in the mean and in the elites."""
    planner = spied()
    _, state = planner.predict(np.zeros((1, 1)))
    planner.candidates = []
    planner.predict(np.zeros((1, 1)), state)
    kept = planner.candidates[0][0, 40:]
    torch.testing.assert_close(kept[:, :3], state[0, 1:, 1:])
    torch.testing.assert_close(kept[:, 3], state[0, 1:, 3])
    assert state.shape == (1, 4, 4, 1)

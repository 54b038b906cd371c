"""A two-state problem whose values are known in closed form, and episodes of it.

In state s ∈ {0, 1} the action a ∈ {0, 1} pays s + a; it leads to state a with certainty. An episode starts
in state 0 and lasts three steps. The behaviour takes action 1 with probability 1/2, the evaluated policy
with 3/4, whatever the state.
"""

import torch
from torch import Tensor

from offline_envs.evaluation.off_policy.doubly_robust import EpisodeValues
from offline_envs.evaluation.off_policy.episodes import WeightedEpisodes

STEPS, GAMMA = 3, 0.5
EVALUATED = torch.tensor([0.25, 0.75], dtype=torch.float64)
BEHAVIOUR = torch.tensor([0.5, 0.5], dtype=torch.float64)

VALUE = 0.75 + 0.5 * 1.5 + 0.25 * 1.5
"""The expected reward is 3/4 at first, from state 0, and then 3/4 + 3/4: the state is the last action."""


def draw_actions(n: int, seed: int) -> Tensor:
    """Actions of the behaviour in `n` episodes, int64 `(n, STEPS)`."""
    return torch.randint(2, (n, STEPS), generator=torch.Generator().manual_seed(seed))


def states(actions: Tensor) -> Tensor:
    """The state at each step and after the last, int64 `(n, STEPS + 1)`."""
    return torch.cat([torch.zeros(len(actions), 1, dtype=torch.int64), actions], dim=1)


def episodes(actions: Tensor) -> WeightedEpisodes:
    """The episodes in which the behaviour took these actions."""
    rewards = (states(actions)[:, :-1] + actions).double()
    return WeightedEpisodes(rewards, torch.log(EVALUATED / BEHAVIOUR)[actions], GAMMA)


def exact_q() -> Tensor:
    """Q(s, a) at each step, `(STEPS, 2, 2)`, by backward induction with a plain loop."""
    q = torch.zeros(STEPS, 2, 2, dtype=torch.float64)
    after = [0.0, 0.0]
    for t in reversed(range(STEPS)):
        for s in range(2):
            for a in range(2):
                q[t, s, a] = s + a + GAMMA * after[a]
        after = [float(0.25 * q[t, s, 0] + 0.75 * q[t, s, 1]) for s in range(2)]
    return q


def values(actions: Tensor, q: Tensor) -> EpisodeValues:
    """What a Q-function `(STEPS, 2, 2)` says along these episodes."""
    s = states(actions)
    time = torch.arange(STEPS)
    v = (q * EVALUATED).sum(2)
    after = torch.zeros(len(actions), 1, dtype=torch.float64)
    return EpisodeValues(q[time, s[:, :-1], actions], torch.cat([v[time, s[:, :-1]], after], dim=1))

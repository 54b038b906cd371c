"""Model-based evaluation: full episodes of a policy in each elite of a model, from first states."""

from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.episodes import check_gamma
from offline_envs.evaluation.off_policy.estimate import Estimate
from offline_envs.mdp import LearnedMDP, ModelWorld, StartStates, follow
from offline_envs.policies import Policy, Predictor, as_policy


@dataclass(frozen=True)
class ImaginedReturns:
    """Returns of imagined episodes, E elites by `n` episodes each; all elites start from the same states.

    Attributes:
        pessimistic: Sum of the rewards after the method's pessimism: penalties are taken off, and a halt
            counts with its reward; float64 `(E, n)`.
        raw: Sum of the model's own rewards over the same episodes, also cut short where they halt.
        lengths: Steps of each episode, int64 `(E, n)`.
        cut: Whether the method ended the episode, by a halt or a truncation, bool `(E, n)`.
        exploded: Whether its last prediction was rejected, bool `(E, n)`.
        gamma: Discount γ of the sums.
        max_steps: Steps after which episodes were cut by the clock.
    """

    pessimistic: Tensor
    raw: Tensor
    lengths: Tensor
    cut: Tensor
    exploded: Tensor
    gamma: float
    max_steps: int

    def estimate(self, *, pessimistic: bool) -> Estimate:
        """Mean over the elites, and the range of their means as interval.

        The range is what the elites disagree about. They are few and see the same data, so it has no nominal
        probability; what all of them get wrong is outside of it.

        Args:
            pessimistic: Whether penalties and halts count.
        """
        members = (self.pessimistic if pessimistic else self.raw).mean(1)
        interval = float(members.min()), float(members.max())
        return Estimate(
            float(members.mean()), interval, self.gamma, self.max_steps, members=tuple(members.tolist())
        )


def imagined_returns(
    mdp: LearnedMDP,
    starts: StartStates,
    policy: Policy | Predictor,
    *,
    n_episodes: int = 20,
    max_steps: int,
    gamma: float = 1.0,
    seed: int = 0,
) -> ImaginedReturns:
    """Follow a policy's deterministic actions for full episodes, each inside one elite.

    Every elite takes the same number of episodes and keeps them to their end, as with `member="episode"`:
    an MDP that draws another elite at each step would average their errors out. Where its sampler follows no
    elite, like that of MOREC, all episodes are of one kind, and what tells the groups apart is chance.
    `offline_envs.evaluation.model_return` is the forecast of training runs, without pessimism.

    Args:
        mdp: The learned MDP with its method.
        starts: First observations of episodes.
        policy: The policy, a function of tensors or an agent.
        n_episodes: Episodes of each elite.
        max_steps: Steps after which an episode is cut, as in the real environment.
        gamma: Discount γ; 1 for undiscounted returns.
        seed: Seed of starts and predictions.

    Raises:
        SettingsError: A number out of range.
    """
    if min(n_episodes, max_steps) < 1:
        raise SettingsError(f"n_episodes and max_steps must be at least 1, got {n_episodes} and {max_steps}.")
    check_gamma(gamma)
    elites = mdp.members.elites
    n_elites, device = len(elites), elites.device
    generator = torch.Generator(device=device).manual_seed(seed)
    drawn = starts.draw_index(n_episodes, generator)
    world = ModelWorld(
        mdp,
        starts.obs[drawn].repeat(n_elites, 1),
        generator,
        dataset_rows=None if starts.rows is None else starts.rows[drawn].repeat(n_elites),
        kept=mdp.begin_in(torch.arange(n_elites, device=device).repeat_interleave(n_episodes), generator),
    )
    tally = _Tally(n_elites * n_episodes, device)
    for time, followed in enumerate(islice(follow(as_policy(policy), world), max_steps)):
        step, rows = followed.step, followed.rows
        tally.pessimistic[rows] += gamma**time * step.reward.double()
        tally.raw[rows] += gamma**time * step.raw_reward.double()
        tally.lengths[rows] += 1
        tally.exploded[rows] = step.exploded
        tally.cut[rows] = step.truncated | (step.replaced & ~step.exploded)
    shape = (n_elites, n_episodes)
    found = {name: values.view(shape).cpu() for name, values in vars(tally).items()}
    return ImaginedReturns(**found, gamma=gamma, max_steps=max_steps)


class _Tally:
    """What is counted of each of `n` episodes."""

    def __init__(self, n: int, device: torch.device) -> None:
        self.pessimistic = torch.zeros(n, dtype=torch.float64, device=device)
        self.raw = torch.zeros_like(self.pessimistic)
        self.lengths = torch.zeros(n, dtype=torch.int64, device=device)
        self.cut = torch.zeros(n, dtype=torch.bool, device=device)
        self.exploded = torch.zeros_like(self.cut)

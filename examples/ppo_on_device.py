"""PPO (Schulman et al. 2017) in many imagined episodes at once, all of it on one device.

Model, policy and gradient steps share the device, and within an iteration the host reads no value, since it
would have to wait for one. The real environment only keeps score. Actions are continuous.

    python examples/ppo_on_device.py [--dataset ID] [--device cuda --n-envs 8192] [--smoke]
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions, load_transitions
from offline_envs.dynamics import Normalizer
from offline_envs.evaluation import evaluate_in
from offline_envs.policies import TensorPolicy

ENV = {"ensemble": {"hidden": [128, 128, 128]}, "fit": {"max_epochs": 40}}


@dataclass(frozen=True)
class Settings:
    """Minutes on one core."""

    dataset: str = "offline-envs/inverteddoublependulum-replay-v0"
    env: Mapping[str, Any] = field(default_factory=lambda: ENV)
    n_envs: int = 1024
    horizon: int = 16  # steps of an iteration; episodes continue in the next one
    iterations: int = 200
    eval_every: int = 20
    hidden: tuple[int, ...] = (64, 64)
    epochs: int = 5
    minibatches: int = 4
    learning_rate: float = 1e-3
    discount: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy_coef: float = 0.01
    device: str = "cpu"
    seed: int = 0


TINY = {"ensemble": {"hidden": [8]}, "fit": {"max_epochs": 1}}
SMOKE: dict[str, Any] = {"n_envs": 8, "horizon": 3, "iterations": 2, "eval_every": 1, "env": TINY}


class Agent(nn.Module, TensorPolicy):
    """A Gaussian policy and a value function; a call gives the policy's mean, in the environment's units."""

    def __init__(self, data: Transitions, settings: Settings) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(settings.seed)
            self.actor = network(data.obs_dim, *settings.hidden, data.action_dim)
            self.critic = network(data.obs_dim, *settings.hidden, 1)
        self.log_std = nn.Parameter(torch.full((data.action_dim,), -0.5))
        self.normalizer = Normalizer(data.obs_dim)
        self.normalizer.fit(data.obs)
        self.device = torch.device(settings.device)
        bounds = (data.action_space.low, data.action_space.high)
        self.low, self.high = (torch.tensor(bound, device=self.device) for bound in bounds)
        self.value_unit = data.rewards.square().mean().sqrt().to(self.device) / (1 - settings.discount)
        self.random = torch.Generator(self.device).manual_seed(settings.seed)
        self.to(self.device)

    @torch.no_grad()
    def forward(self, obs: Tensor) -> Tensor:
        """Actions `(n, k)` that are not random."""
        return self.in_units(self.mean(obs))

    def mean(self, obs: Tensor) -> Tensor:
        """Mean actions `(n, k)`, of which -1 and 1 are the bounds."""
        mean: Tensor = self.actor(self.normalizer(obs))
        return mean

    def value(self, obs: Tensor) -> Tensor:
        """Discounted returns `(n,)`, in units in which they are about 1."""
        return torch.squeeze(self.critic(self.normalizer(obs)), -1)

    def in_units(self, action: Tensor) -> Tensor:
        """Clip actions, and scale them to the environment's bounds."""
        return self.low + (action.clamp(-1, 1) + 1) / 2 * (self.high - self.low)


def network(*widths: int) -> nn.Sequential:
    """Linear layers with tanh between them, the last of which begins near zero."""
    layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.Tanh())][:-1]
    nn.init.normal_(layers[-1].get_parameter("weight"), std=1e-3)
    return nn.Sequential(*layers)


def log_density(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Logarithm of a Gaussian's density up to a constant, `(...)`."""
    return -(((action - mean) / log_std.exp()).square() / 2 + log_std).sum(-1)


def advantages(errors: Tensor, ended: Tensor, decay: float) -> Tensor:
    """Generalised advantage estimates from temporal-difference errors, `(steps, n)`: A_t = δ_t + γλ A_t+1."""
    found = errors.clone()
    for t in reversed(range(len(errors) - 1)):
        found[t] += decay * ~ended[t] * found[t + 1]
    return found


def clipped_loss(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """PPO's loss: no gain from a ratio of densities beyond 1 ± clip."""
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def ppo(envs: Any, agent: Agent, settings: Settings) -> Iterator[Tensor]:
    """Iterations without end; each gives its mean reward."""
    optimizer = torch.optim.Adam(agent.parameters(), settings.learning_rate, fused=True)
    obs, _ = envs.reset(seed=settings.seed)
    while True:
        rows, reward, obs = collect(envs, agent, obs, settings)
        for _ in range(settings.epochs):
            order = torch.randperm(len(reward), generator=agent.random, device=agent.device)
            for index in order.chunk(settings.minibatches):
                optimizer.zero_grad()
                torch.autograd.backward(loss(agent, [part[index] for part in rows], settings))
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        yield reward.mean()


@torch.no_grad()
def collect(envs: Any, agent: Agent, obs: Tensor, settings: Settings) -> tuple[list[Tensor], Tensor, Tensor]:
    """What `loss` needs of an iteration, its rewards, and the next observations."""
    steps = []
    for _ in range(settings.horizon):
        mean, value = agent.mean(obs), agent.value(obs)
        noise = torch.randn(mean.shape, generator=agent.random, device=agent.device)
        action = mean + agent.log_std.exp() * noise
        following, reward, terminated, truncated, infos = envs.step(agent.in_units(action))
        # A truncated episode would continue: the value of its last state stands for the rest.
        later = ~terminated * agent.value(infos["final_obs"])
        error = reward / agent.value_unit + settings.discount * later - value
        density = log_density(action, mean, agent.log_std)
        steps.append((error, terminated | truncated, value, reward, obs, action, density))
        obs = following
    error, ended, *rest = (torch.stack(part) for part in zip(*steps, strict=True))
    found = advantages(error, ended, settings.discount * settings.gae_lambda)
    advantage, value, reward, *rows = (part.flatten(0, 1) for part in (found, *rest))
    return [*rows, advantage, advantage + value], reward, obs


def loss(agent: Agent, rows: list[Tensor], settings: Settings) -> Tensor:
    """The clipped loss, half the squared error of values, and a bonus for the Gaussian's entropy."""
    obs, action, density, advantage, target = rows
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    log_ratio = log_density(action, agent.mean(obs), agent.log_std) - density
    policy_loss = clipped_loss(log_ratio, advantage, settings.clip)
    value_loss = (agent.value(obs) - target).square().mean() / 2
    return policy_loss + value_loss - settings.entropy_coef * agent.log_std.sum()


def main(settings: Settings) -> float:
    """Train in the model, and return the mean score in the real environment."""
    data = load_transitions(settings.dataset)
    options = {"output": "torch", "autoreset_mode": "SameStep", "device": settings.device, **settings.env}
    envs = gym.make_vec("PenalizedModel-v0", settings.n_envs, dataset=data, **options)
    agent = Agent(data, settings)
    iterations = ppo(envs, agent, settings)
    print(f"dataset: mean return {data.episode_returns.mean():.0f}, best {data.episode_returns.max():.0f}")
    each = min(settings.eval_every, settings.iterations)
    for done in range(each, settings.iterations + 1, each):
        start = time.perf_counter()
        *_, reward = islice(iterations, each)
        imagined = float(reward)  # here the host waits
        rate = each * settings.horizon * settings.n_envs / (time.perf_counter() - start)
        real = evaluate_in(data.make_env, agent, seed=1000)
        print(
            f"{done}: {rate:,.0f} transitions/s, imagined reward {imagined:.2f}, real return {real.mean:.0f}"
        )
    return real.mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("dataset", "n_envs", "horizon", "iterations", "device", "seed"):
        kind = type(getattr(Settings(), name))
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true")
    given = vars(parser.parse_args())
    main(Settings(**{**(SMOKE if given.pop("smoke") else {}), **given}))

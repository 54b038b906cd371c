"""Time of a transition from a learned model to the replay buffer, compared with its unavoidable part.

The floor is a step of the penalised model and a forward pass of SAC's actor, on as many rows in one run.
HalfCheetah's sizes; an unfitted model of generated data, whose speed is that of a fitted one.

- rollout: `rollout`, of which each step has both, start states and all that an episode needs besides;
- with buffer: the same, and `MixedReplayBuffer.add_rollout`;
- SB3's path: actions by `predict`, `SB3VecEnv.step`, and storing it, as a plain agent collects.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import torch
import typer
from rich.console import Console
from rich.table import Table
from run_shares import BATCH, REAL_RATIO, TASKS, calm_model, calm_transitions
from stable_baselines3 import SAC
from timing import best_seconds, finished

import offline_envs  # noqa: F401  registers the environments
from offline_envs.envs import rollout
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, with_device_rollouts
from offline_envs.sb3.rollouts.device_rollouts import unchecked_distributions

ROWS = (100, 1000, 10_000)
MODEL, POLICY, ROLLOUT, STORED, SB3 = "model step", "policy", "rollout", "with buffer", "SB3's path"


class Cost(NamedTuple):
    """The measurements at one number of rows."""

    n: int
    horizon: int
    seconds: dict[str, float]  # of the fastest call, for `horizon` steps of all rows

    def nanoseconds(self, name: str) -> float:
        """Time of one transition."""
        return self.seconds[name] / (self.n * self.horizon) * 1e9

    def times_floor(self, name: str) -> float:
        """How many times the model step and the policy together a candidate takes."""
        return self.seconds[name] / (self.seconds[MODEL] + self.seconds[POLICY])


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Rows of a rollout; may be repeated.", min=1)] = None,
    horizon: Annotated[int, typer.Option(help="Steps of a rollout.", min=1)] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seconds: Annotated[float, typer.Option(help="Time for each number of rows; at least 3 rounds.")] = 10.0,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
) -> None:
    """Measure rollouts and print a table."""
    if threads:
        torch.set_num_threads(threads)
    costs = [measure(n, horizon, device=device, budget=seconds) for n in rows or ROWS]
    title = f"Rollouts of {horizon} steps on {device}, {torch.get_num_threads()} threads, ns a transition"
    Console().print(table(costs, title))


def measure(n: int, horizon: int, *, device: str, budget: float) -> Cost:
    """Measure every candidate with `n` rows, turn by turn."""
    agent, envs = make(n, horizon, device)
    obs, buffer = envs.reset(seed=0)[0], agent.replay_buffer
    agent.env.reset()
    agent.policy.set_training_mode(False)
    generator = torch.Generator(device).manual_seed(0)
    act = agent._explorer(learning_starts=0)
    action = act_once(agent, obs)
    candidates: dict[str, Callable[[], object]] = {
        MODEL: repeated(lambda: envs.unwrapped.mdp.step(obs, action, generator), horizon),
        POLICY: repeated(lambda: act_once(agent, obs), horizon),
        ROLLOUT: lambda: rollout(act, n, horizon, within=envs, seed=0),
        STORED: lambda: buffer.add_rollout(rollout(act, n, horizon, within=envs, seed=0)),
        SB3: repeated(lambda: sb3_step(agent), horizon),
    }
    waited = {name: partial(finished, call, device) for name, call in candidates.items()}
    return Cost(n, horizon, best_seconds(waited, budget=budget))


def make(n: int, horizon: int, device: str) -> tuple[Any, Any]:
    """Make an agent with a buffer of one rollout, and the environment that it shares with the rollouts."""
    data = calm_transitions(TASKS["halfcheetah"])
    envs = gym.make_vec(
        "PenalizedModel-v0",
        num_envs=n,
        dataset=data,
        model=calm_model(data.obs_dim, data.action_dim),
        max_episode_steps=horizon,
        autoreset_mode="SameStep",
        output="torch",
        device=device,
    )
    agent = with_device_rollouts(SAC)(
        "MlpPolicy",
        SB3VecEnv(envs),
        batch_size=BATCH,
        buffer_size=n * horizon,
        seed=0,
        device=device,
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": data, "real_ratio": REAL_RATIO},
    )
    return agent, envs


@torch.no_grad()
def act_once(agent: Any, obs: torch.Tensor) -> torch.Tensor:
    """A forward pass of the actor with its noise; actions in [-1, 1], which are HalfCheetah's units."""
    with unchecked_distributions():
        action: torch.Tensor = agent.policy._predict(obs)
    return action


def sb3_step(agent: Any) -> None:
    """Collect one step of all rows as Stable-Baselines3's `collect_rollouts` does."""
    if agent._last_obs is None:
        agent._last_obs = agent.env.reset()
    actions, stored = agent._sample_action(0, None, agent.env.num_envs)
    new_obs, rewards, dones, infos = agent.env.step(actions)
    agent._store_transition(agent.replay_buffer, stored, new_obs, rewards, dones, infos)


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    """Make several calls one."""

    def calls() -> None:
        for _ in range(times):
            call()

    return calls


def table(costs: list[Cost], title: str) -> Table:
    """Lay out one row a number of rows."""
    names = (MODEL, POLICY, ROLLOUT, STORED, SB3)
    grid = Table(title=title)
    for column in ("rows", *names, "rollout/floor", "with buffer/floor", "SB3's path/floor"):
        grid.add_column(column, justify="right")
    for cost in costs:
        times = (f"{cost.times_floor(name):.2f}x" for name in (ROLLOUT, STORED, SB3))
        grid.add_row(f"{cost.n:,}", *(f"{cost.nanoseconds(name):,.0f}" for name in names), *times)
    return grid


if __name__ == "__main__":
    typer.run(main)

"""Agents that learn together on one device beside one of them alone: MOPO's rollouts and FastSAC.

Each has its own model, imagined episodes and replay buffer, of HalfCheetah's sizes; models are unfitted and
data generated, whose speed is that of fitted ones. Seconds are those of a gradient step of all agents with
the rollouts for it, after the first cycles, in which graphs are captured. Alone is `agent.learn`, as a run of
one seed trains.
"""

import sys
import time
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import torch
import typer
from rich.console import Console
from rich.table import Table
from run_shares import BATCH, REAL_RATIO, TASKS, calm_model, calm_transitions
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from timing import device_name, synchronize

import offline_envs  # noqa: F401  registers the environments
from offline_envs.sb3 import FastSAC, MixedReplayBuffer, SB3VecEnv, mopo_schedule, with_device_rollouts
from offline_envs.sb3.together import Group, Member, RandomStreams, cycles, streams_kept

HORIZON = 5
WARM_UP_CYCLES = 3


class Seconds(NamedTuple):
    """Seconds of a gradient step with its rollouts."""

    alone: float
    together: float

    @property
    def times_one(self) -> float:
        """How many times that of one agent all agents take."""
        return self.together / self.alone


class Clock(BaseCallback):
    """Takes the time of the cycles after the first few.

    Args:
        device: What is waited for.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device, self._cycles, self._start, self._before = device, 0, 0.0, 0
        self.seconds = float("nan")

    def _on_rollout_start(self) -> None:
        if self._cycles == WARM_UP_CYCLES:
            synchronize(self._device)
            self._start, self._before = time.perf_counter(), self.model._n_updates
        self._cycles += 1

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        synchronize(self._device)
        self.seconds = (time.perf_counter() - self._start) / (self.model._n_updates - self._before)


def main(
    agents: Annotated[int, typer.Option(help="Agents that learn together.", min=2)] = 8,
    envs: Annotated[list[int] | None, typer.Option(help="Imagined episodes of each; repeat.")] = None,
    steps: Annotated[int, typer.Option(help="Gradient steps of each.", min=1)] = 2000,
    device: Annotated[str, typer.Option(help="cuda, or cpu, where nothing is gained.")] = "cuda",
) -> None:
    """Measure and print a table."""
    grid = Table(title=f"{agents} agents on {device_name(device)}, PyTorch {torch.__version__}")
    for column in ("episodes", "µs a step alone", "µs together", "times one"):
        grid.add_column(column, justify="right")
    for n in envs or (500, 5000):
        found = measure(agents, n, steps, device)
        micros = [f"{1e6 * each:,.0f}" for each in found]
        grid.add_row(f"{n:,}", *micros, f"{found.times_one:.2f}")
    Console().print(grid)


def measure(agents: int, n_envs: int, steps: int, device: str) -> Seconds:
    """Measure one alone, then all together."""
    schedule = mopo_schedule(n_envs, HORIZON)
    cycle = schedule["train_freq"] * n_envs
    timesteps = (WARM_UP_CYCLES + max(1, round(steps / schedule["gradient_steps"]))) * cycle
    clock = Clock(device)
    make(0, n_envs, device).learn(timesteps, callback=clock, log_interval=sys.maxsize)
    return Seconds(clock.seconds, together(agents, n_envs, timesteps, device))


def together(agents: int, n_envs: int, timesteps: int, device: str) -> float:
    """Seconds of a gradient step of all."""
    clock, members = Clock(device), []
    with streams_kept():
        for seed in range(agents):
            streams = RandomStreams(torch.device(device))
            with streams.active():
                agent = make(seed, n_envs, device)
            callbacks = [clock] if seed == agents - 1 else []  # the last one to go on
            members.append(Member(cycles(agent, timesteps, callbacks), streams))
        with Group(torch.device(device), members) as group:
            group.start()
            group.run()
    return clock.seconds


def make(seed: int, n_envs: int, device: str) -> FastSAC:
    """An agent in a penalised model of its own, that collects on the device, as runs on a GPU do."""
    data = calm_transitions(TASKS["halfcheetah"])
    envs = gym.make_vec(
        "PenalizedModel-v0",
        num_envs=n_envs,
        output="torch",
        dataset=data,
        model=calm_model(data.obs_dim, data.action_dim),
        max_episode_steps=HORIZON,
        autoreset_mode="SameStep",
        device=device,
    )
    kind: Any = with_device_rollouts(FastSAC)
    agent: FastSAC = kind(
        "MlpPolicy",
        SB3VecEnv(envs),
        batch_size=BATCH,
        seed=seed,
        device=device,
        replay_buffer_class=MixedReplayBuffer,
        replay_buffer_kwargs={"dataset": data, "real_ratio": REAL_RATIO},
        **mopo_schedule(n_envs, HORIZON),
    )
    agent.set_logger(configure(None, []))
    return agent


if __name__ == "__main__":
    typer.run(main)

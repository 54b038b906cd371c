"""Seconds of a step of TRPO's policy: sb3-contrib's TRPO, `FastTRPO`, and what collecting for it takes.

The agents have the settings with which runs train TRPO, and step again and again from the same weights on
the transitions that they have collected once. All take turns in one process. Seconds are the median over the
turns, and a ratio is the median of the ratios within them, so that other load on the machine cancels out.
"""

import sys
from collections.abc import Callable
from copy import deepcopy
from statistics import median
from typing import Annotated, Any

import gymnasium as gym
import torch
import typer
from rich.console import Console
from rich.table import Table
from run_shares import TASKS, calm_model, calm_transitions
from sb3_contrib import TRPO
from stable_baselines3.common.logger import configure
from timing import seconds_by_turn

from offline_envs.data import Transitions
from offline_envs.runs.algorithms.on_policy import TRPO_FROM_CLONE
from offline_envs.sb3 import FastTRPO, SB3VecEnv

N_ENVS = TRPO_FROM_CLONE["n_envs"]
BASE = "TRPO"
COLLECTING = "collecting"

Call = Callable[[], object]


def main(
    rows: Annotated[int, typer.Option(help="Transitions for each step.", min=N_ENVS)] = 25_000,
    rounds: Annotated[int, typer.Option(help="Turns of each.", min=1)] = 5,
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
) -> None:
    """Measure all and print a table."""
    if threads:
        torch.set_num_threads(threads)
    data = calm_transitions(TASKS["halfcheetah"])
    calls = {
        BASE: step_of(agent_of(TRPO, data, rows)),
        "FastTRPO": step_of(agent_of(FastTRPO, data, rows)),
        COLLECTING: collection_of(agent_of(TRPO, data, rows)),
    }
    title = f"TRPO in halfcheetah, {rows} transitions for each step, {torch.get_num_threads()} threads"
    Console().print(table(seconds_by_turn(calls, rounds), title))


def agent_of(kind: type[TRPO], data: Transitions, rows: int) -> Any:
    """An agent that has collected once."""
    model = calm_model(data.obs_dim, data.action_dim)
    episodes = {"max_episode_steps": TRPO_FROM_CLONE["horizon"], "start": TRPO_FROM_CLONE["start"]}
    envs = gym.make_vec("PenalizedModel-v0", num_envs=N_ENVS, dataset=data, model=model, **episodes)
    options = {**TRPO_FROM_CLONE["agent_options"], "batch_size": rows // 10}
    agent = kind("MlpPolicy", SB3VecEnv(envs), n_steps=rows // N_ENVS, seed=0, device="cpu", **options)
    agent.set_logger(configure(None, []))
    return agent.learn(rows, log_interval=sys.maxsize)


def step_of(agent: Any) -> Call:
    """A step of the agent's policy from the weights that it has now."""
    start = deepcopy(agent.policy.state_dict())

    def step() -> None:
        agent.policy.load_state_dict(start)
        agent.train()

    return step


def collection_of(agent: Any) -> Call:
    """Collecting for one step."""
    _, callback = agent._setup_learn(0, None)
    return lambda: agent.collect_rollouts(agent.env, callback, agent.rollout_buffer, agent.n_steps)


def table(seconds: dict[str, list[float]], title: str) -> Table:
    """Lay out one row for each."""
    grid = Table(title=title)
    for column in ("", "seconds", f"times {BASE}"):
        grid.add_column(column, justify="left" if not column else "right")
    for name, own in seconds.items():
        speed = median(base / spent for base, spent in zip(seconds[BASE], own, strict=True))
        grid.add_row(name, f"{median(own):.2f}", "" if name == COLLECTING else f"{speed:.2f}x")
    return grid


if __name__ == "__main__":
    typer.run(main)

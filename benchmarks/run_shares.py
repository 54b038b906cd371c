"""Shares of time in a SAC run inside the learned, penalised environment.

The run collects as many model transitions for each gradient step as MOPO does, 50 * horizon, in an unfitted
model of generated data: neither changes the speed. Its parts are timed by subclasses:

- environment: `SB3VecEnv.step_wait`, which is the model step and the adapter;
- buffer: storing what was collected, and drawing batches;
- policy: choosing actions while collecting;
- gradient: `SAC.train` without the drawing of batches; the rest is Stable-Baselines3's loop.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import torch
import typer
from fit_throughput import random_transitions
from peers import kit_buffer, kit_sac
from rich.console import Console
from rich.table import Table
from stable_baselines3 import SAC
from timing import Stopwatch, seconds_of

import offline_envs  # noqa: F401  registers the environments
from offline_envs.data import Transitions
from offline_envs.dynamics import EnsembleDynamics
from offline_envs.sb3 import MixedReplayBuffer, SB3VecEnv, mopo_schedule

ROWS, BATCH, REAL_RATIO = 20_000, 256, 0.05


class Task(NamedTuple):
    """Sizes of a real environment and an observation that its termination rule accepts."""

    env_id: str
    action_dim: int
    upright: tuple[float, ...]


TASKS = {
    "hopper": Task("Hopper-v5", 3, (1.25, *[0.0] * 10)),
    "halfcheetah": Task("HalfCheetah-v5", 6, (0.0,) * 17),
}


class TimedVecEnv(SB3VecEnv):
    """Counts the time of environment steps."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.stepping = Stopwatch()

    def step_wait(self) -> Any:
        """Step, timed."""
        with self.stepping:
            return super().step_wait()


class TimedBuffer(MixedReplayBuffer):
    """Counts the time of storing and of drawing batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adding, self.sampling = Stopwatch(), Stopwatch()

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Store, timed."""
        with self.adding:
            super().add(*args, **kwargs)

    def sample(self, *args: Any, **kwargs: Any) -> Any:
        """Draw, timed."""
        with self.sampling:
            return super().sample(*args, **kwargs)


class TimedSAC(SAC):
    """Counts the time of gradient steps and of choosing actions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.training, self.acting = Stopwatch(), Stopwatch()
        super().__init__(*args, **kwargs)

    def train(self, *args: Any, **kwargs: Any) -> None:
        """Take gradient steps, timed."""
        with self.training:
            super().train(*args, **kwargs)

    def _sample_action(self, *args: Any, **kwargs: Any) -> Any:
        with self.acting:
            return super()._sample_action(*args, **kwargs)


class Shares(NamedTuple):
    """Seconds of each part of a run, and the rate of OfflineRL-Kit's updates if it was measured."""

    task: str
    updates: int
    total: float
    environment: float
    buffer: float
    policy: float
    gradient: float
    kit_updates_per_second: float | None

    @property
    def sb3_loop(self) -> float:
        """Seconds outside every timed part."""
        return self.total - self.environment - self.buffer - self.policy - self.gradient

    @property
    def gradient_updates_per_second(self) -> float:
        """Updates per second, counting only gradient steps and their batches, as for OfflineRL-Kit."""
        return self.updates / (self.gradient + self.buffer)


def main(
    task: Annotated[list[str] | None, typer.Option(help="hopper or halfcheetah; may be repeated.")] = None,
    gradient_steps: Annotated[int, typer.Option(help="Gradient steps to measure.", min=1)] = 500,
    n_envs: Annotated[int, typer.Option(help="Imagined episodes at once.", min=1)] = 500,
    horizon: Annotated[int, typer.Option(help="Steps of an episode.", min=1)] = 5,
    ratio: Annotated[float, typer.Option(help="Model transitions a gradient step; 0 is 50 * horizon.")] = 0.0,
    penalty_members: Annotated[str, typer.Option(help="Members that are penalised: all or elites.")] = "all",
    threads: Annotated[int, typer.Option(help="Threads; 0 means PyTorch's own choice.")] = 0,
    offlinerl_kit: Annotated[Path | None, typer.Option(help="Checkout of OfflineRL-Kit.")] = None,
) -> None:
    """Measure SAC runs and print a table."""
    if threads:
        torch.set_num_threads(threads)
    per_update = ratio or 50.0 * horizon
    shares = [
        measure(name, gradient_steps, n_envs, horizon, per_update, offlinerl_kit, penalty_members)
        for name in task or TASKS
    ]
    title = (
        f"SAC, {n_envs} rows, {per_update:g} model transitions an update, {torch.get_num_threads()} threads"
    )
    Console().print(table(shares, title))


def measure(
    name: str,
    gradient_steps: int,
    n_envs: int,
    horizon: int,
    ratio: float,
    offlinerl_kit: Path | None = None,
    penalty_members: str = "all",
) -> Shares:
    """Measure one run, after a first cycle that is not counted."""
    if name not in TASKS:
        raise typer.BadParameter(f"--task must be one of {', '.join(TASKS)}, got {name!r}.")
    data = calm_transitions(TASKS[name])
    agent, envs, buffer = make_run(data, n_envs, horizon, ratio, penalty_members)
    learn(agent, n_envs * horizon)
    watches = (envs.stepping, buffer.adding, buffer.sampling, agent.acting, agent.training)
    before, first = [watch.seconds for watch in watches], agent._n_updates
    total = seconds_of(lambda: learn(agent, int(gradient_steps * ratio)))
    stepping, adding, sampling, acting, training = (
        watch.seconds - start for watch, start in zip(watches, before, strict=True)
    )
    kit = kit_rate(offlinerl_kit, data, gradient_steps) if offlinerl_kit else None
    updates = agent._n_updates - first
    return Shares(name, updates, total, stepping, adding + sampling, acting, training - sampling, kit)


def learn(agent: SAC, timesteps: int) -> None:
    """Collect and train, without the log that Stable-Baselines3 writes at every fourth episode."""
    options: dict[str, Any] = {"log_interval": None}  # its types say a number
    agent.learn(timesteps, reset_num_timesteps=False, **options)


def calm_transitions(task: Task) -> Transitions:
    """Make transitions that stay near the upright position, so that rollouts last as in a real run."""
    noise = random_transitions(ROWS, len(task.upright), task.action_dim)
    upright = torch.tensor(task.upright)
    return Transitions(
        obs=upright + 0.01 * noise.obs,
        actions=noise.actions,
        rewards=noise.rewards,
        next_obs=upright + 0.01 * noise.next_obs,
        terminated=noise.terminated,
        episode_starts=torch.arange(0, ROWS, 1000),
        action_space=noise.action_space,
        env_spec=gym.spec(task.env_id),
        source=f"generated data of {task.env_id}",
    )


def calm_model(obs_dim: int, action_dim: int) -> EnsembleDynamics:
    """Make an unfitted ensemble whose predictions hardly move."""
    model = EnsembleDynamics(obs_dim, action_dim).requires_grad_(False)
    model.heads[1].bias.fill_(-9.0)  # type: ignore[operator]
    return model


def make_run(
    data: Transitions, n_envs: int, horizon: int, ratio: float, penalty_members: str = "all"
) -> tuple[TimedSAC, TimedVecEnv, TimedBuffer]:
    """Make agent, environment and buffer as a run does, with their stopwatches."""
    envs = TimedVecEnv(
        gym.make_vec(
            "PenalizedModel-v0",
            num_envs=n_envs,
            dataset=data,
            model=calm_model(data.obs_dim, data.action_dim),
            max_episode_steps=horizon,
            penalty_members=penalty_members,
        )
    )
    agent = TimedSAC(
        "MlpPolicy",
        envs,
        batch_size=BATCH,
        seed=0,
        device="cpu",
        replay_buffer_class=TimedBuffer,
        replay_buffer_kwargs={"dataset": data, "real_ratio": REAL_RATIO},
        **mopo_schedule(n_envs, horizon, transitions_per_gradient_step=ratio),
    )
    assert isinstance(agent.replay_buffer, TimedBuffer)
    return agent, envs, agent.replay_buffer


def kit_rate(checkout: Path, data: Transitions, updates: int) -> float:
    """OfflineRL-Kit's updates a second, each with the two batches that it is given."""
    update = kit_update(checkout, data)
    update(min(updates, 10))
    return updates / seconds_of(lambda: update(updates))


def kit_update(checkout: Path, data: Transitions) -> Callable[[int], None]:
    """Make OfflineRL-Kit's agent and its two buffers; give what takes a number of updates."""
    policy = kit_sac(checkout, data.obs_dim, data.action_dim)
    real, model = (kit_buffer(checkout, len(data), data, filled=True) for _ in range(2))
    n_real = int(BATCH * REAL_RATIO)

    def update(n: int) -> None:
        for _ in range(n):
            policy.learn({"real": real.sample(n_real), "fake": model.sample(BATCH - n_real)})

    return update


def table(shares: list[Shares], title: str) -> Table:
    """Lay out one row a task."""
    grid = Table(title=title)
    columns = ["task", "environment", "buffer", "env + buffer", "policy", "SB3 loop", "gradient"]
    columns += ["updates/s", "updates/s (train)"]
    for column in columns + ["Kit updates/s", "train/Kit"] * (shares[0].kit_updates_per_second is not None):
        grid.add_column(column, justify="right")
    for s in shares:
        parts = (s.environment, s.buffer, s.environment + s.buffer, s.policy, s.sb3_loop, s.gradient)
        rates = [f"{s.updates / s.total:.1f}", f"{s.gradient_updates_per_second:.1f}"]
        if s.kit_updates_per_second is not None:
            rates.append(f"{s.kit_updates_per_second:.1f}")
            rates.append(f"{s.gradient_updates_per_second / s.kit_updates_per_second:.2f}x")
        grid.add_row(s.task, *(f"{part / s.total:.1%}" for part in parts), *rates)
    return grid


if __name__ == "__main__":
    typer.run(main)

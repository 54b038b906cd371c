"""Film the best episode of a dataset for a task and a policy side by side: a clip and a strip of stills.

Without a display, MuJoCo needs `MUJOCO_GL=egl` or `MUJOCO_GL=osmesa`:

MUJOCO_GL=egl python examples/film.py DATASET TASK POLICY.zip FOLDER [AGENT]

AGENT is the kind of the saved policy: sac (the default), trpo, tqc, ...
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from stable_baselines3.common.base_class import BaseAlgorithm

from offline_envs import Transitions
from offline_envs.sb3 import agent_class
from offline_envs.tasks import relabel

COORDINATES = ("x_position", "y_position")
EVERY = 3  # steps from one picture to the next


@dataclass(frozen=True)
class Settings:
    """The episodes to film, and the number of steps."""

    dataset: str
    task: str
    policy: Path
    output: Path
    agent: str = "sac"
    n_steps: int = 200


def main(settings: Settings) -> list[Path]:
    """Write the clip (data left, policy right) and the stills; return the two files."""
    transitions = relabel(settings.dataset, settings.task)
    policy = agent_class(settings.agent).load(settings.policy, device="cpu")
    env: Any = transitions.make_env(render_mode="rgb_array", camera_name="track", width=240, height=180)
    films = {
        "best episode of the data": film(env, logged_states(env, transitions), settings.n_steps),
        "policy": film(env, policy_states(env, policy), settings.n_steps),
    }
    seconds = env.unwrapped.dt * EVERY
    env.close()
    settings.output.mkdir(parents=True, exist_ok=True)
    files = [settings.output / "clip.gif", settings.output / "stills.png"]
    save_clip(films, files[0], seconds=seconds)
    save_stills(films, files[1])
    return files


def film(env: Any, states: Iterator[None], n_steps: int) -> list[Any]:
    """Take a picture, uint8 `(height, width, 3)`, of every third state that the environment reaches."""
    return [env.render() for step, _ in zip(range(n_steps), states, strict=False) if step % EVERY == 0]


def logged_states(env: Any, transitions: Transitions) -> Iterator[None]:
    """Set the environment to the logged states of the best episode, one after the other."""
    env.reset(seed=0)
    nq, nv = env.unwrapped.model.nq, env.unwrapped.model.nv
    episode = int(transitions.episode_returns.argmax())
    first = int(transitions.episode_starts[episode])
    rows = slice(first, first + int(transitions.episode_lengths[episode]))
    hidden = [transitions.infos[name][rows, None] for name in COORDINATES[: nq + nv - transitions.obs_dim]]
    for state in np.concatenate([*hidden, transitions.next_obs[rows]], axis=1).astype(np.float64):
        env.unwrapped.set_state(state[:nq], state[nq:])
        yield


def policy_states(env: Any, policy: BaseAlgorithm) -> Iterator[None]:
    """Follow the policy's deterministic actions through one episode."""
    obs, _ = env.reset(seed=0)
    terminated = truncated = False
    while not (terminated or truncated):
        obs, _, terminated, truncated, _ = env.step(policy.predict(obs, deterministic=True)[0])
        yield


def save_clip(films: Mapping[str, list[Any]], file: Path, *, seconds: float) -> None:
    """Save both side by side, as long as the shorter one, with `seconds` between pictures."""
    pairs = zip(*films.values(), strict=False)
    images = [Image.fromarray(np.concatenate(pair, axis=1)) for pair in pairs]
    images[0].save(file, save_all=True, append_images=images[1:], duration=round(1000 * seconds), loop=0)


def save_stills(films: Mapping[str, list[Any]], file: Path, n_stills: int = 8) -> None:
    """Save pictures at equal distances in time, one episode a row."""
    figure, rows = plt.subplots(len(films), 1, figsize=(12, 3), layout="constrained")
    for axes, (name, frames) in zip(rows, films.items(), strict=True):
        chosen = np.linspace(0, len(frames) - 1, n_stills).round().astype(int)
        axes.imshow(np.concatenate([frames[i] for i in chosen], axis=1))
        axes.set(title=name, xticks=[], yticks=[])
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    dataset, task, policy, output, *more = sys.argv[1:]
    main(Settings(dataset, task, Path(policy), Path(output), agent=more[0] if more else "sac"))

"""`offline-envs film`: what a model imagines beside what really happens."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from offline_envs.cli.terminal.options import (
    LEARNED_ENV,
    POLICY_HELP,
    Agent,
    Dataset,
    EnvId,
    EnvKwargs,
    History,
    LearnedEnv,
    LearnedKwargs,
    TaskName,
    TrustDataset,
    find_policy,
    given_once,
    parse_env,
    parse_json,
)
from offline_envs.cli.terminal.run_of_policy import history_of, task_of
from offline_envs.cli.terminal.stage import Stage
from offline_envs.errors import SettingsError

if TYPE_CHECKING:
    from PIL.Image import Image

    from offline_envs.data import Transitions
    from offline_envs.envs import LearnedEnv as Learned
    from offline_envs.film import Actor, Frames, Shot

BEST = "best"
"""The episode of the highest return."""

PolicyOrRun = Annotated[
    str | None,
    typer.Option(
        help=f"What acts in place of the recorded actions: the folder of a run, or as follows. {POLICY_HELP}"
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(help="Folder of a fitted model; without it, the run's, or one is fitted or in the cache."),
]
Output = Annotated[Path, typer.Option(help="The film, .gif or .mp4; a file of this name is replaced.")]
Episode = Annotated[str, typer.Option(help="Episode that lends its first state: a number from 0, or best.")]
Every = Annotated[
    int | None,
    typer.Option(help="Steps from one image to the next.", min=1, show_default="at most 25 images a second"),
]
RealOnly = Annotated[bool, typer.Option("--real-only", help="Show what really happens, without a model.")]


def film(
    dataset: Dataset,
    policy: PolicyOrRun = None,
    model: Model = None,
    output: Output = Path("film.gif"),
    episode: Episode = BEST,
    steps: Annotated[int, typer.Option(help="Most steps to show.", min=1)] = 200,
    every: Every = None,
    height: Annotated[int, typer.Option(help="Height of the pictures in pixels.", min=16)] = 240,
    real_only: RealOnly = False,
    agent: Agent = "sac",
    learned_env: LearnedEnv = LEARNED_ENV,
    learned_kwargs: LearnedKwargs = "{}",
    env_id: EnvId = None,
    env_kwargs: EnvKwargs = "{}",
    trust_dataset: TrustDataset = False,
    history: History = None,
    task: TaskName = None,
    seed: Annotated[int, typer.Option(help="Seed of imagined steps and random policies.", min=0)] = 0,
) -> None:
    """Film a policy in the model and in the simulator side by side, from the same state.

    Without a policy the recorded actions of an episode are repeated in the model, beside the recording.

    Without a display MuJoCo draws with MUJOCO_GL=egl, which is set if nothing else is, or =osmesa.
    """
    _draw_without_display()
    from offline_envs.data import check_continuous
    from offline_envs.files import check_writable
    from offline_envs.film import check_film
    from offline_envs.tasks import task_transitions

    check_film(output)
    check_writable(output.parent, "--output")
    policy, agent, model = _of_run(policy, agent, model)
    loading: dict[str, Any] = {"trust_dataset": trust_dataset, "history": history_of(history, policy)}
    task = task_of(task, policy)
    transitions = task_transitions(dataset, task, env_id=parse_env(env_id, env_kwargs), **loading).flattened
    check_continuous(transitions.discrete_actions, "film")
    given = {"model": None if model is None else str(model)}
    kwargs = given_once(given, parse_json(learned_kwargs, "--learned-kwargs"), "--learned-kwargs")
    number = _episode(episode, transitions)
    plan = _Plan(transitions, policy, agent, learned_env, kwargs, number, steps, seed)
    shots = _filmed(plan, output, every=every, height=height, real_only=real_only)
    console = Console()
    acting = "recorded actions" if plan.policy is None else plan.policy
    title = f"Episode {plan.episode} of {transitions.source}, {acting}"
    console.print(title, soft_wrap=True, markup=False)
    console.print(_table(shots))
    console.print(f"Film: {output}", soft_wrap=True, markup=False)


def _filmed(
    plan: "_Plan", output: Path, *, every: int | None, height: int, real_only: bool
) -> "Sequence[Shot]":
    from offline_envs.files import moved_by
    from offline_envs.film import Frames, check_simulated, write_film
    from offline_envs.simulator import Pictures

    # What cannot be shown is refused before a model is fitted.
    pictures = Pictures.of(plan.transitions)
    if plan.policy is not None:
        check_simulated(plan.transitions, plan.episode)
    try:
        real = plan.real()
        shots = [real] if real_only else [plan.dream(), real]
        frames = Frames(shots, pictures, height=height, every=every)
        with moved_by("--output"):
            write_film(output, _shown(frames), seconds=frames.seconds)
    finally:
        pictures.close()
    return shots


@dataclass(frozen=True)
class _Plan:
    """What is to be filmed."""

    transitions: "Transitions"
    policy: str | None
    agent: str
    learned_env: str
    learned_kwargs: dict[str, Any]
    episode: int
    steps: int
    seed: int

    def dream(self) -> "Shot":
        """What the model imagines."""
        from offline_envs.film import imagined

        actor = self._new_actor()
        env = self._learned
        with Stage("Imagining", self._longest) as stage:
            return imagined(env, self.episode, _Counted(actor, stage), self._longest, seed=self.seed)

    def real(self) -> "Shot":
        """What really happens."""
        from offline_envs.film import recorded, simulated

        if self.policy is None:
            return recorded(self.transitions, self.episode, self.steps)
        actor = self._new_actor()
        with Stage("Simulating", self._longest) as stage:
            return simulated(self.transitions, self.episode, _Counted(actor, stage), self._longest)

    def _new_actor(self) -> "Actor":
        """What acts; anew for each side, so that a random policy draws the same numbers in both."""
        from offline_envs.film import Replay
        from offline_envs.policies import Acting

        if self.policy is None:
            return Replay(self.transitions, self.episode)
        policy = find_policy(
            self.policy,
            self.agent,
            obs_shape=(self.transitions.obs_dim,),
            action_space=self.transitions.action_space,
            owner="dataset",
            seed=self.seed,
            learned_mdp=lambda: self._learned.mdp,
        )
        return Acting(policy)

    @property
    def _longest(self) -> int:
        """Steps to show at most; recorded actions come to an end."""
        if self.policy is not None:
            return self.steps
        return min(self.steps, int(self.transitions.episode_lengths[self.episode]))

    @cached_property
    def _learned(self) -> "Learned":
        """The learned environment, without a time limit."""
        import gymnasium as gym

        from offline_envs.registration import check_learned_id

        check_learned_id(self.learned_env)
        env = gym.make(self.learned_env, dataset=self.transitions, **self.learned_kwargs)
        return cast("Learned", env.unwrapped)


@dataclass(frozen=True)
class _Counted:
    """An actor whose steps are counted."""

    actor: "Actor"
    stage: Stage

    def begin(self) -> None:
        self.actor.begin()

    def __call__(self, obs: Any, /) -> Any:
        action = self.actor(obs)
        self.stage.step()
        return action


def _draw_without_display() -> None:
    """Let MuJoCo draw on a machine without a display, unless told how."""
    displays = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform == "linux" and not displays:
        os.environ.setdefault("MUJOCO_GL", "egl")


def _of_run(policy: str | None, agent: str, model: Path | None) -> tuple[str | None, str, Path | None]:
    """The policy that a run ended with, its agent and the run's model, where a folder of a run is given."""
    from offline_envs.runs import RunFolder

    if policy is None or not Path(policy).is_dir():
        return policy, agent, model
    folder = RunFolder(Path(policy))
    settings, found = folder.settings(), folder.final_policy()
    own = folder.model if folder.model.is_dir() else None
    return str(found), settings.agent, own if model is None else model


def _episode(text: str, transitions: "Transitions") -> int:
    n = len(transitions.episode_starts)
    if text == BEST:
        return int(transitions.episode_returns.argmax())
    if not text.isdecimal() or int(text) >= n:
        raise SettingsError(f"--episode must be best or a number from 0 to {n - 1}, got {text!r}.")
    return int(text)


def _shown(frames: "Frames") -> "Iterator[Image]":
    """The images, with progress."""
    with Stage("Drawing", len(frames)) as stage:
        for image in frames:
            yield image
            stage.step()


def _table(shots: "Sequence[Shot]") -> Table:
    table = Table()
    table.add_column("", style="bold")
    for name in ("steps", "return", "end"):
        table.add_column(name, justify="right")
    for shot in shots:
        table.add_row(
            shot.title, f"{len(shot)}", f"{shot.rewards.sum():.1f}", "of the episode" if shot.ended else ""
        )
    return table

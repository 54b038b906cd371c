"""`look_ahead`: the model's forecasts held against the recording, the simulator and a policy's episodes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from offline_envs.data import Transitions
from offline_envs.diagnose.foresight import (
    LEAST_WINDOWS,
    MEAN,
    SAMPLED,
    SIMULATOR,
    STILL,
    Foresight,
    Replay,
    draw_starts,
    foresee,
    policy_windows,
    replay,
)
from offline_envs.diagnose.scale import DataScale
from offline_envs.diagnose.settings import DiagnoseSettings
from offline_envs.diagnose.simulator import Simulator
from offline_envs.diagnose.windows import Windows, recorded_windows
from offline_envs.dynamics.fitting.rows import generator_for
from offline_envs.envs import Assembly
from offline_envs.errors import SettingsError
from offline_envs.policies import Predictor

RECORDED, CHOSEN = "dataset actions", "policy actions"


@dataclass(frozen=True)
class Outlook:
    """How far a model sees.

    Attributes:
        foresight: Growth of its error along the dataset's actions and, with policy and simulator, its own.
        replay: How well the simulator repeats the dataset, or None without one.
        notes: What could not be done, and why; in whole sentences.
    """

    foresight: list[Foresight]
    replay: Replay | None
    notes: list[str]


def look_ahead(
    parts: Assembly,
    policy: Predictor | None,
    scale: DataScale,
    settings: DiagnoseSettings,
    *,
    generator: torch.Generator,
    say: Callable[[str], None],
) -> Outlook:
    """Follow recorded and chosen actions from states of the data.

    Args:
        parts: Data and model.
        policy: A policy, or None.
        scale: Deviations of the data, the unit of errors.
        settings: How many states, and how many steps.
        generator: Source of randomness, on the model's device.
        say: Called with the name of each part as it begins.
    """
    notes: list[str] = []
    simulator = _simulator(parts.transitions, notes)
    starts = generator_for(settings.seed, 3)
    rows, share = draw_starts(parts.transitions, simulator, settings.starts, starts)
    if share < 1:
        notes.append(
            f"Open-loop errors start from the {share:.1%} of states whose velocities are not clipped."
        )
    if len(rows) < LEAST_WINDOWS:
        notes.append(
            f"A horizon is judged by at least {LEAST_WINDOWS} episodes, but only {len(rows)} were followed: "
            "it cannot be told."
        )
    say(f"Following {len(rows)} recorded episodes for {settings.horizon} steps")
    recorded = recorded_windows(parts.transitions, rows, settings.horizon)
    if simulator is None:
        alone = foresee(RECORDED, parts.mdp, recorded, scale, {}, generator=generator)
        return Outlook([alone], None, notes)
    try:
        foresight, found = _beside(simulator, parts, policy, recorded, scale, generator=generator, say=say)
    finally:
        simulator.close()
    if not found.same_reward:
        notes.append("The dataset's rewards are not the simulator's, which are therefore not compared.")
    return Outlook(foresight, found, notes)


def _beside(
    simulator: Simulator,
    parts: Assembly,
    policy: Predictor | None,
    recorded: Windows,
    scale: DataScale,
    *,
    generator: torch.Generator,
    say: Callable[[str], None],
) -> tuple[list[Foresight], Replay]:
    """Hold the model against a simulator too; its rewards count where they are those of the data."""
    groups = simulator.layout.groups
    repeated, found = replay(simulator, recorded, scale)
    foreign, own = ((), ()) if found.same_reward else ((SIMULATOR,), (SAMPLED, MEAN, STILL))
    results = [
        foresee(
            RECORDED,
            parts.mdp,
            recorded,
            scale,
            groups,
            generator=generator,
            repeated=repeated,
            without_reward=foreign,
        )
    ]
    if policy is not None:
        say("Following the policy in the simulator")
        windows = policy_windows(simulator, recorded.obs[:, 0], policy, recorded.actions.shape[1])
        results.append(
            foresee(CHOSEN, parts.mdp, windows, scale, groups, generator=generator, without_reward=own)
        )
    return results, found


def _simulator(transitions: Transitions, notes: list[str]) -> Simulator | None:
    try:
        return Simulator.of(transitions)
    except SettingsError as error:
        notes.append(f"Open-loop errors are against the recorded episodes alone. {error}")
        return None

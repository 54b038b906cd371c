"""`GroundTruth`: recorded and simulated steps from the same states of a dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_envs.data import Transitions
from offline_envs.diagnose.ground_truth.windows import Windows, recorded_windows, simulated_windows
from offline_envs.diagnose.settings import DiagnoseSettings
from offline_envs.dynamics import generator_for
from offline_envs.errors import DatasetError, SettingsError
from offline_envs.evaluation import DataScale
from offline_envs.policies import Acting, Predictor
from offline_envs.simulator import Simulator

SAME_REWARD = 0.01
"""Median reward difference, in deviations of the data, below which two reward functions are the same."""


@dataclass(frozen=True)
class Replay:
    """Agreement of a simulator with the recording, one step from each of `n` states.

    Attributes:
        n: Number of states.
        obs_error: Largest difference of a next observation, in deviations of the data.
        reward_error: Median difference of a reward, in deviations of the data.
    """

    n: int
    obs_error: float
    reward_error: float

    @property
    def same_reward(self) -> bool:
        """Whether the dataset's rewards are the simulator's; relabelled ones are not."""
        return self.reward_error < SAME_REWARD


@dataclass(frozen=True)
class Simulation:
    """Simulated steps from states of the data.

    Attributes:
        groups: Names of observation dimensions that belong together.
        repeated: The result of the recorded actions.
        chosen: The result of a policy's actions, or None without one.
        replay: Agreement of `repeated` with the recording.
    """

    groups: Mapping[str, slice]
    repeated: Windows
    chosen: Windows | None
    replay: Replay


@dataclass(frozen=True)
class GroundTruth:
    """Real steps from some states of the data.

    Attributes:
        recorded: The recorded steps, at most to the end of each episode.
        simulation: The simulated steps, or None without a simulator.
        notes: Work that could not be done, and the reasons, in full sentences.
    """

    recorded: Windows
    simulation: Simulation | None
    notes: tuple[str, ...]

    @property
    def same_reward(self) -> bool:
        """Whether the environment's rewards are the dataset's; assumed without a simulator."""
        return self.simulation is None or self.simulation.replay.same_reward

    @classmethod
    def of(
        cls,
        transitions: Transitions,
        policy: Predictor | None,
        scale: DataScale,
        settings: DiagnoseSettings,
        *,
        say: Callable[[str], None],
    ) -> Self:
        """Read the recording from `settings.starts` states, and run the simulator from them if there is one.

        Args:
            transitions: The dataset.
            policy: A policy that also acts in the simulator, or None.
            scale: Deviations of the data, the unit of errors.
            settings: Number of states and of steps.
            say: Called with the name of each part when it begins.
        """
        try:
            simulator = Simulator.of(transitions)
        except (SettingsError, DatasetError) as error:
            recorded, _ = _recorded(transitions, None, settings, say)
            note = f"Open-loop errors are measured against recorded episodes only. {error}"
            return cls(recorded, None, (note,))
        try:
            recorded, share = _recorded(transitions, simulator, settings, say)
            repeated, replay = replay_windows(simulator, recorded, scale)
            chosen = None
            if policy is not None:
                say("Following the policy in the simulator")
                chosen = policy_windows(simulator, recorded.obs[:, 0], policy, settings.horizon)
        finally:
            simulator.close()
        simulation = Simulation(simulator.layout.groups, repeated, chosen, replay)
        return cls(recorded, simulation, _notes(share, replay))


def draw_starts(
    transitions: Transitions, simulator: Simulator | None, n: int, generator: torch.Generator
) -> tuple[Tensor, float]:
    """Draw rows; if there is a simulator, only rows whose observation determines its state.

    Returns:
        Rows, int64 `(n,)` or fewer, and the share of rows that they were drawn from.
    """
    rows = torch.arange(len(transitions))
    if simulator is not None:
        rows = rows[torch.from_numpy(simulator.layout.is_exact(transitions.obs.numpy()))]
    picked = rows[torch.randperm(len(rows), generator=generator)[:n]]
    return picked, len(rows) / len(transitions)


def replay_windows(simulator: Simulator, recorded: Windows, scale: DataScale) -> tuple[Windows, Replay]:
    """Take the recorded actions in the simulator, from the recorded starts."""
    actions = recorded.actions.numpy()

    def choose(i: int, t: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        del obs  # Unused: open loop.
        chosen: NDArray[np.float32] = actions[i, t]
        return chosen

    horizon = recorded.actions.shape[1]
    repeated = simulated_windows(simulator, recorded.obs[:, 0], choose, recorded.lengths, horizon)
    missed = (repeated.obs[:, 1] - recorded.obs[:, 1]) / scale.obs_std
    reward_missed = (repeated.rewards[:, 0] - recorded.rewards[:, 0]).abs() / scale.reward_std
    replay = Replay(len(recorded), float(missed.abs().max()), float(reward_missed.median()))
    return repeated, replay


def policy_windows(simulator: Simulator, starts: Tensor, policy: Predictor, horizon: int) -> Windows:
    """Let a policy act in the simulator from `starts`, `(n, d)`, on the simulator's observations."""
    act = Acting(policy)

    def choose(i: int, t: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        del i  # Unused: starts come one after the other.
        if t == 0:
            act.begin()
        chosen: NDArray[np.float32] = np.asarray(act(obs), np.float32)
        return chosen

    lengths = torch.full((len(starts),), horizon)
    return simulated_windows(simulator, starts, choose, lengths, horizon)


def _recorded(
    transitions: Transitions,
    simulator: Simulator | None,
    settings: DiagnoseSettings,
    say: Callable[[str], None],
) -> tuple[Windows, float]:
    rows, share = draw_starts(transitions, simulator, settings.starts, generator_for(settings.seed, 3))
    say(f"Following {len(rows)} recorded episodes for {settings.horizon} steps")
    return recorded_windows(transitions, rows, settings.horizon), share


def _notes(share: float, replay: Replay) -> tuple[str, ...]:
    notes = []
    if share < 1:
        notes.append(
            f"Open-loop errors start from the {share:.1%} of states whose velocities are not clipped."
        )
    if not replay.same_reward:
        notes.append("The dataset's rewards are not the simulator's, so the two are not compared.")
    return tuple(notes)

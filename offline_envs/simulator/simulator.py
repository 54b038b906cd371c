"""`Simulator`: the real environment of a dataset, set to given observations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.simulator.layouts import LAYOUTS, ObsLayout

Choose = Callable[[int, NDArray[np.float32]], NDArray[np.float32]]
"""Chooses an action `(k,)` from the number of the step, from 0, and the observation `(d,)`."""


@dataclass(frozen=True)
class Simulator:
    """A real environment without its wrappers: no time limit, no checks.

    Attributes:
        env: The bare environment.
        layout: How its observations determine its state.
    """

    env: Any
    layout: ObsLayout

    @classmethod
    def of(cls, transitions: Transitions) -> Self:
        """Make the simulator that the dataset was recorded in.

        Raises:
            SettingsError: The environment is unknown, or its observations do not determine its state.
            DatasetError: The environment cannot be made, see `Transitions.make_env`.
        """
        layout, spec = layout_of(transitions)
        if transitions.obs_dim != layout.obs_dim or spec.additional_wrappers:
            raise SettingsError(
                f"The simulator can be set to the {layout.obs_dim} default observation dimensions of "
                f"{spec.id}, without wrappers; {transitions.source} has {transitions.obs_dim} dimensions "
                f"and {len(spec.additional_wrappers)} wrappers."
            )
        env = transitions.make_env().unwrapped
        env.reset(seed=0)
        return cls(env, layout)

    def restore(self, obs: NDArray[Any]) -> NDArray[np.float64]:
        """Set the simulator to the state that `obs`, `(d,)`, determines, and observe it, `(d,)`."""
        observed = self.layout.restore(self.env, np.asarray(obs, dtype=np.float64))
        return np.asarray(observed, dtype=np.float64)

    def episode(
        self, obs: NDArray[Any], choose: Choose, horizon: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Act from a restored state until the MDP ends or for `horizon` steps; T is the number taken.

        Returns:
            Observations `(T + 1, d)`, actions `(T, k)` and rewards `(T,)`.
        """
        observations = [self.restore(obs).astype(np.float32)]
        actions: list[NDArray[np.float32]] = []
        rewards: list[float] = []
        terminated = False
        while len(actions) < horizon and not terminated:
            actions.append(choose(len(actions), observations[-1]))
            next_obs, reward, terminated, _, _ = self.env.step(actions[-1])
            observations.append(next_obs.astype(np.float32))
            rewards.append(float(reward))
        return np.stack(observations), np.stack(actions), np.array(rewards, dtype=np.float32)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def layout_of(transitions: Transitions) -> tuple[ObsLayout, EnvSpec]:
    """The layout of a dataset's observations, and the environment that they are those of.

    Raises:
        SettingsError: The environment is unknown, or not in `LAYOUTS`.
    """
    spec = transitions.env_spec
    if spec is None or spec.id not in LAYOUTS:
        named = "does not name its environment (pass env_id=)" if spec is None else f"comes from {spec.id}"
        origin = f"{transitions.source} {named}"
        raise SettingsError(
            f"The simulator can be set to an observation of {', '.join(sorted(LAYOUTS))}; {origin}. Enter "
            "others in offline_envs.simulator.LAYOUTS."
        )
    return LAYOUTS[spec.id], spec

"""`Task`: a custom reward on a known environment, for data that were collected under another reward."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Setting = float | bool
Info = Mapping[str, Any]
"""What a step reports besides the observation, e.g. `x_velocity`, in arrays of the batch's shape."""


class RewardTerms(Protocol):
    """The parts of a reward, by name; the reward is their sum.

    It uses only operations that NumPy arrays and torch tensors share.
    """

    def __call__(self, obs: Any, action: Any, next_obs: Any, info: Info) -> dict[str, Any]:
        """Compute the parts, `(...)` each, of one step or of a batch.

        Args:
            obs: Observations before the step, `(..., d)`.
            action: Actions in the environment's own units, `(..., k)`.
            next_obs: Observations after it, `(..., d)`.
            info: What the step reports, `(...)` each; holds at least what the task needs.
        """
        ...


@dataclass(frozen=True)
class Task:
    """A reward on a known environment, with what it takes to relabel data for it and to evaluate policies.

    Attributes:
        name: Name without settings, e.g. `"ant-angle"`.
        env_id: Id of the real environment with this reward.
        base_env_id: Environment whose physics and observations it has.
        reward_terms: The parts of the reward.
        formula: The reward in words, settings filled in.
        source: Paper and section that the task comes from, and every departure from it.
        obs_dim: Number of observation dimensions, d.
        needs: Infos that the reward reads.
        velocity_columns: Info → column of the observation that shows it at one instant, from which it is
            estimated where data do not hold it; an info without one must be logged.
        base_kwargs: Keywords of the base environment.
        settings: Settings of the task that differ from their defaults.
        references: Undiscounted returns from the literature by name, on the data used there.
    """

    name: str
    env_id: str
    base_env_id: str
    reward_terms: RewardTerms
    formula: str
    source: str
    obs_dim: int
    needs: tuple[str, ...] = ()
    velocity_columns: Mapping[str, int] = field(default_factory=dict)
    base_kwargs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    references: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """The string that `find_task` reads back, e.g. `"ant-angle:degrees=45.0"`."""
        settings = ",".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        return f"{self.name}:{settings}" if settings else self.name

    @property
    def how_to_collect(self) -> str:
        """How to collect data from which the reward can be computed, as a sentence."""
        keywords = "".join(f", {name}={value}" for name, value in self.base_kwargs.items())
        log = f" and log {', '.join(self.needs)} of its infos" if self.needs else ""
        return f"Next time collect with gymnasium.make({self.base_env_id!r}{keywords}){log}."

    def reward(self, obs: Any, action: Any, next_obs: Any, info: Info) -> Any:
        """Compute the reward, `(...)`, of NumPy arrays or torch tensors of one step or of a batch.

        Args:
            obs: Observations before the step, `(..., d)`.
            action: Actions in the environment's own units, `(..., k)`.
            next_obs: Observations after it, `(..., d)`.
            info: Holds the infos in `needs`, `(...)` each.
        """
        return sum(self.reward_terms(obs, action, next_obs, info).values())


def changed_settings(build: Callable[..., object], settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings that differ from the defaults in the signature of `build`."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(build).parameters.items()}
    return {name: value for name, value in settings.items() if value != defaults[name]}

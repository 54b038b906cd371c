"""`Algorithm`: a way to train, with its defaults, settings, checks and hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.data import Transitions
from offline_envs.errors import SettingsError
from offline_envs.runs.results import TrainResult
from offline_envs.runs.run import Run
from offline_envs.runs.run_settings import RunSettings
from offline_envs.settings import JsonSettings

EVERY_RUN = (
    "dataset",
    "algorithm",
    "agent",
    "gradient_steps",
    "seed",
    "columns",
    "env_id",
    "env_kwargs",
    "trust_dataset",
    "history",
    "task",
    "device",
    "agent_options",
    "algorithm_options",
    "eval_every",
    "eval_episodes",
    "final_episodes",
)
"""Settings that every algorithm uses."""


class AlgorithmState:
    """State of an algorithm during one run. The base class adds nothing; a subclass overrides hooks."""

    def callbacks(self) -> Sequence[BaseCallback]:
        """Callbacks of the agent's training, called before the run's own one."""
        return ()

    def save(self, folder: Path) -> None:
        """Write the state into the folder of a checkpoint, beside the agent."""

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote; called before training resumes."""

    def write_artefacts(self) -> None:
        """Write the algorithm's files of the complete run into its folder, after it is scored."""


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A way to train; `ModelBased` is one inside a learned environment. Enter an instance in `ALGORITHMS`.

    Attributes:
        uses: Settings of a run that it uses; the others are refused.
        defaults: Settings of a run whose defaults it changes.
        agent_defaults: Further ones that hold for one agent, by its name.
        options: Class of its own settings, which a run gives as `algorithm_options`.
    """

    uses: tuple[str, ...] = EVERY_RUN
    defaults: Mapping[str, Any] = field(default_factory=dict)
    agent_defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: type[JsonSettings] | None = None

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the algorithm's own default for each setting that `values` lacks."""
        agent = values.get("agent", self.defaults.get("agent"))
        defaults = merged(self.defaults, self.agent_defaults.get(str(agent), {}))
        if values.get("model") is not None:  # which is fitted
            defaults = {name: value for name, value in defaults.items() if name not in ("ensemble", "fit")}
        return merged(defaults, values)

    def check(self, settings: RunSettings) -> None:
        """Refuse settings that the algorithm cannot work with; called for all settings of a run.

        Raises:
            SettingsError: Such a setting.
        """

    def check_data(self, settings: RunSettings, transitions: Transitions) -> None:
        """Refuse data that the algorithm cannot work with; called before anything is computed or written.

        Raises:
            SettingsError: Such data, or a setting that they do not allow.
        """

    def clones(self, settings: RunSettings) -> bool:
        """Whether the agent's policy is fitted to recorded actions, or to those of an expert."""
        return bool(settings.clone_epochs)

    def gradient_steps(self, settings: RunSettings) -> int:
        """Gradient steps that a run takes, at least those of its settings."""
        return settings.gradient_steps

    def own_settings(self, settings: RunSettings) -> Any:
        """The algorithm's own settings, an instance of `options`.

        Raises:
            SettingsError: It has none, or one of them is not valid.
        """
        if self.options is None:
            raise SettingsError(
                f"{settings.algorithm} has no settings of its own, got algorithm_options "
                f"{', '.join(settings.algorithm_options)}. Remove them."
            )
        return settings.nested("algorithm_options", self.options)

    def env_options(self, settings: RunSettings) -> dict[str, Any]:
        """Keywords of its environment besides `RunSettings.model_options`."""
        del settings  # Unused.
        return {}

    def train(self, run: Run) -> TrainResult:
        """Carry out a run whose folder was created, and write its result there."""
        raise NotImplementedError


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply `changes` to `settings`; settings by name inside a setting are merged, not replaced."""
    result = {**settings, **changes}
    for name in settings.keys() & changes.keys():
        before, after = settings[name], changes[name]
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            result[name] = {**before, **after}
    return result

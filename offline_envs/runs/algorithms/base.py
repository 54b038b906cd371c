"""`Algorithm`: what a way to train changes of a run, from its environment to what it leaves behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.runs.algorithms.cloning import clone_policy
from offline_envs.runs.in_model import train_in_model
from offline_envs.runs.run import ModelRun, Run

if TYPE_CHECKING:
    from offline_envs.runs.results import TrainResult
    from offline_envs.runs.settings import TrainSettings

EVERY_RUN = (
    "dataset",
    "algorithm",
    "agent",
    "gradient_steps",
    "seed",
    "env_id",
    "task",
    "device",
    "agent_options",
    "eval_every",
    "eval_episodes",
    "final_episodes",
)
"""Settings that every algorithm uses."""

IN_MODEL = (
    *EVERY_RUN,
    *("model", "ensemble", "fit", "termination", "start", "horizon", "env_settings"),
    *("n_envs", "transitions_per_gradient_step", "rollout_actions", "real_ratio", "clone_epochs"),
    *("penalty", "penalty_members"),  # the uncertainty that the model's error is compared with at the end
)
"""Settings that every algorithm uses which trains inside a model."""


class AlgorithmState:
    """What an algorithm keeps over one run. As it is, it adds nothing; a subclass replaces what it needs."""

    def callbacks(self) -> Sequence[BaseCallback]:
        """Callbacks of the agent's training, called before the run's own one.

        Where no training is left, because the run was interrupted after its last transitions, they are called
        once for the start and the end of an empty training.
        """
        return ()

    def save(self, folder: Path) -> None:
        """Write the state into the folder of a checkpoint, beside the agent."""

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote; called before training resumes."""

    def write_artefacts(self) -> None:
        """Write into the run's folder what should be kept of the complete run, once it is scored."""


@dataclass(frozen=True)
class Algorithm:
    """A way to train; by default, an agent inside a learned environment.

    A subclass overrides the methods in which it differs. Enter an instance in `ALGORITHMS`.

    Attributes:
        env_id: Learned environment that it trains in; None if it needs no model.
        uses: Settings of a run that mean something to it; the others are refused.
        env_settings: Settings of a run, or properties of `TrainSettings`, that its environment takes by the
            same names.
        defaults: Settings of a run whose defaults it changes.
        agent_defaults: Further ones that hold for one agent, by its name.
    """

    env_id: str | None
    uses: tuple[str, ...] = IN_MODEL
    env_settings: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    agent_defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values`, and the algorithm's own default for each setting that they leave out."""
        agent = values.get("agent", self.defaults.get("agent"))
        return merged(merged(self.defaults, self.agent_defaults.get(str(agent), {})), values)

    def check(self, settings: "TrainSettings") -> None:
        """Refuse settings that the algorithm cannot work with; called for all settings of a run.

        Raises:
            SettingsError: Such a setting.
        """

    def env_options(self, settings: "TrainSettings") -> dict[str, Any]:
        """Keywords of the environment that are the algorithm's own, besides those of every model."""
        return {name: getattr(settings, name) for name in self.env_settings}

    def start(self, run: ModelRun) -> None:
        """Prepare a new agent before its training; not called for one from a checkpoint.

        By default its policy is fitted to the dataset for the run's `clone_epochs`.
        """
        if run.settings.clone_epochs:
            clone_policy(run)

    def state(self, run: ModelRun) -> AlgorithmState:
        """Make what the algorithm keeps over a run: callbacks, state of checkpoints, artefacts."""
        return AlgorithmState()

    def train(self, run: Run) -> "TrainResult":
        """Carry out a run whose folder was created, and write its result there."""
        return train_in_model(self, run)


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`; in a setting that holds settings by name, the others keep their values."""
    result = {**settings, **changes}
    for name in settings.keys() & changes.keys():
        before, after = settings[name], changes[name]
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            result[name] = {**before, **after}
    return result

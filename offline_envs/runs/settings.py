"""Settings of a training run: frozen, checked, and written into the run's folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from offline_envs.agents import AGENTS, off_policy_agents
from offline_envs.envs import VECTOR_OPTIONS
from offline_envs.errors import SettingsError
from offline_envs.runs.algorithms import ALGORITHMS, Algorithm, algorithm, merged
from offline_envs.runs.choice.figures import LAST
from offline_envs.runs.run_settings import RunSettings
from offline_envs.settings import checked

SET_BY_THE_RUN = (*(name for name in VECTOR_OPTIONS if name != "capture"), "progress", "cache_dir")
"""Keywords of `gym.make_vec` that a run sets besides those of `RunSettings.model_options`."""


@dataclass(frozen=True)
class TrainSettings(RunSettings):
    """The settings of a run, checked against its algorithm; `for_algorithm` gives the algorithm's defaults.

    Raises:
        SettingsError: See `RunSettings`; an unknown algorithm, or a setting that it cannot use.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_used(algorithm(self.algorithm))

    def _check_used(self, chosen: Algorithm) -> None:
        """Refuse settings that the algorithm would ignore or cannot work with."""
        for name in ("env_settings", "adversary"):
            if getattr(self, name) and name not in chosen.uses:
                users = [other for other, entry in ALGORITHMS.items() if name in entry.uses]
                raise SettingsError(f"{name} is a setting of {', '.join(users)}, not of {self.algorithm}.")
        for name in self.env_settings:
            if name in (*self.model_options(), *chosen.env_options(self), *SET_BY_THE_RUN):
                raise SettingsError(
                    f"env_settings cannot hold {name!r}: a run sets it from its own settings."
                )
        if self.choose != LAST and "choose" not in chosen.uses:
            raise SettingsError(
                f"{self.algorithm} has no model to choose a policy by, so choose must be {LAST!r}, got "
                f"{self.choose!r}."
            )
        if self.algorithm_options:
            chosen.own_settings(self)
        if self.rollout_actions == "uniform":
            self._check_uniform_rollouts(chosen)
        if idle := self._idle(chosen):
            raise _unused(idle, chosen, self.algorithm, self.agent)
        chosen.check(self)

    def _idle(self, chosen: Algorithm) -> list[str]:
        """Settings that the algorithm ignores and that have neither the default of runs nor its own one."""
        standard = RunSettings(self.dataset)
        own = merged(chosen.defaults, chosen.agent_defaults.get(self.agent, {}))
        names = _ignored(chosen, self.agent)
        return [n for n in names if getattr(self, n) not in (getattr(standard, n), own.get(n))]

    def _check_uniform_rollouts(self, chosen: Algorithm) -> None:
        if "rollout_actions" not in chosen.uses:
            raise SettingsError(f"{self.algorithm} has no rollouts, so rollout_actions must be 'policy'.")
        if not AGENTS.find(self.agent).off_policy:
            raise SettingsError(
                f"rollout_actions='uniform' needs an agent with a replay buffer, such as "
                f"{off_policy_agents()[0]}: {self.agent} learns only from actions of its own policy."
            )

    @classmethod
    def for_algorithm(cls, values: Mapping[str, Any]) -> Self:
        """Build the settings from JSON values; what is left out takes the algorithm's own default.

        Raises:
            SettingsError: See `TrainSettings`; or a setting that the algorithm does not use.
        """
        values = checked("settings", Mapping[str, Any], values)
        name = values.get("algorithm", cls.algorithm)
        entry = algorithm(name)
        chosen = entry.with_defaults(values)
        agent = str(chosen.get("agent", cls.agent))
        if idle := _ignored(entry, agent).intersection(values):
            raise _unused(idle, entry, name, agent)
        return cls.from_json(chosen)


def _ignored(chosen: Algorithm, agent: str) -> set[str]:
    """Names of settings without effect: rows of the dataset, say, mix into replay buffers alone."""
    names = {field.name for field in fields(RunSettings)}.difference(chosen.uses)
    entry = AGENTS.get(agent)
    return names if entry is None or entry.off_policy else names | {"real_ratio"}


def _unused(names: Iterable[str], chosen: Algorithm, name: str, agent: str) -> SettingsError:
    names = sorted(names)
    owner = f"{name} with agent {agent}" if set(names) <= set(chosen.uses) else name
    return SettingsError(f"{', '.join(names)}: {owner} does not use that. Remove it.")

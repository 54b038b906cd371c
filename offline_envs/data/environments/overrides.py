"""What the user says of a dataset's environment, which takes precedence over the metadata."""

from dataclasses import dataclass, replace

from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Dict

from offline_envs.data.environments.named import KnownEnvironment, known_environment
from offline_envs.data.spaces.discrete import DiscreteSpace, encoded_actions, one_hot_box
from offline_envs.data.spaces.observations import part_sizes
from offline_envs.data.tables.names import ACTION_CHOICES
from offline_envs.data.transitions import Transitions
from offline_envs.data.validation import known_action_space
from offline_envs.errors import DatasetError


@dataclass(frozen=True)
class Overrides:
    """User overrides (`env_id=`, `action_space=`, `trust_dataset=`) of the dataset's metadata.

    Attributes:
        env: The environment named by `env_id=`, or None.
        action_space: The space given by `action_space=`, else the environment's, else None.
        trust_dataset: Whether the environment that the metadata describe is made as they say.
    """

    env: KnownEnvironment | None
    action_space: Box | DiscreteSpace | None
    trust_dataset: bool = False

    @classmethod
    def of(
        cls,
        env_id: str | EnvSpec | None,
        action_space: Box | DiscreteSpace | None,
        *,
        trust_dataset: bool = False,
    ) -> "Overrides":
        """Look up the named environment.

        Raises:
            DatasetError: See `known_environment`; or the action space is neither a flat Box of real
                numbers nor discrete.
        """
        env = None if env_id is None else known_environment(env_id)
        if action_space is not None:
            return cls(env, known_action_space("action_space=", action_space), trust_dataset)
        return cls(env, None if env is None else env.action_space, trust_dataset)

    @property
    def key(self) -> str:
        """Cache key: distinct overrides have distinct keys."""
        env = None if self.env is None else self.env.spec
        space = self.action_space
        bounds = (space.low.tolist(), space.high.tolist()) if isinstance(space, Box) else space
        return f"{env} {bounds} {self.trust_dataset}"

    def applied_to(self, transitions: Transitions) -> Transitions:
        """Return the transitions with this environment and action space, where they are known.

        Raises:
            DatasetError: The environment's observations have another number of dimensions or, by name, other
                parts, or its actions are of another kind.
        """
        if self.action_space is not None:
            transitions = _with_action_space(transitions, self.action_space)
        if self.env is not None:
            self._check_obs(transitions, self.env)
            spec, obs_space = self.env.spec, self.env.obs_space
            return replace(transitions, env_spec=spec, recorded_env_spec=None, obs_space=obs_space)
        doubted = transitions.doubted_env_spec
        if self.trust_dataset and doubted is not None:
            return replace(transitions, env_spec=doubted, recorded_env_spec=None)
        return transitions

    def _check_obs(self, transitions: Transitions, env: KnownEnvironment) -> None:
        recorded, keywords = transitions.newest.obs_dim, f" with {env.spec.kwargs}" if env.spec.kwargs else ""
        advice = "Pass the env_id= that the data come from, with its keywords: an EnvSpec, or --env-kwargs."
        if env.obs_dim != recorded:
            raise DatasetError(
                f"{transitions.source} has {recorded} observation dimensions, but "
                f"{env.spec.id}{keywords} has {env.obs_dim}. {advice}"
            )
        ours, theirs = transitions.obs_space, env.obs_space
        # As many columns in all are no sign of the same order: columns are sorted by the parts' names.
        if isinstance(ours, Dict) and isinstance(theirs, Dict) and part_sizes(ours) != part_sizes(theirs):
            raise DatasetError(
                f"{transitions.source} has the parts of observations {part_sizes(ours)} (columns by name), "
                f"but {env.spec.id}{keywords} has {part_sizes(theirs)}. {advice} Or rename the parts of the "
                "data as the environment does."
            )


def _with_action_space(transitions: Transitions, space: Box | DiscreteSpace) -> Transitions:
    """The transitions with another action space; recorded choices become one-hot numbers.

    Raises:
        DatasetError: The actions are known to be others.
    """
    known = transitions.discrete_actions
    if known is not None and known != space:
        raise DatasetError(
            f"{transitions.source} has actions of {known}, but the action space given, or that of env_id=, "
            f"is {space}. Pass the env_id= that the data come from."
        )
    metadata = {name: value for name, value in transitions.metadata.items() if name != ACTION_CHOICES}
    if isinstance(space, Box):
        return replace(transitions, action_space=space, observed_bounds=frozenset(), metadata=metadata)
    if known is not None:
        return transitions
    actions = encoded_actions(transitions.source, space, transitions.actions)
    box = one_hot_box(space)
    return replace(
        transitions,
        actions=actions,
        action_space=box,
        observed_bounds=frozenset(),
        discrete_actions=space,
        metadata=metadata,
    )

"""Look up the termination rule of an environment by its spec."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from gymnasium.envs.registration import EnvSpec

from offline_envs.errors import SettingsError
from offline_envs.tasks import termination_rules as rules
from offline_envs.tasks.finding import EnvTable
from offline_envs.tasks.task import Task
from offline_envs.tasks.termination_rules import Bounds, TerminationRule

RuleBuilder = Callable[[Mapping[str, Any]], TerminationRule | None]
"""Maps the keyword arguments of an environment to its rule, or `None` where they make it unknown."""


def termination_rule(env_spec: EnvSpec) -> TerminationRule | None:
    """Find the rule by which the episodes of a known environment end.

    Environments are known by the exact ids in `KNOWN_RULES`. The keyword arguments in `env_spec.kwargs` that
    move a bound
    (`healthy_z_range` and the like), switch the rule off (`terminate_when_unhealthy=False`) or shift the
    observation (`exclude_current_positions_from_observation=False`) are honoured. The rule reads the
    observations of the bare environment: it knows nothing of `env_spec.additional_wrappers`.

    Args:
        env_spec: The spec of the real environment, e.g. `gymnasium.spec("Hopper-v5")` or that of a dataset.

    Returns:
        A pure, picklable function of `(obs, action, next_obs)`, or `None` if the id is not known, or if it is
        InvertedDoublePendulum with a custom `xml_file`, whose links may have other lengths.

    Raises:
        SettingsError: If an interval in `env_spec.kwargs` is not two numbers.
    """
    builder = KNOWN_RULES.get(env_spec.id)
    return None if builder is None else builder(env_spec.kwargs)


def _hopper(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of Hopper."""
    state = _bounds(kwargs, "healthy_state_range", (-100.0, 100.0))
    height = _bounds(kwargs, "healthy_z_range", (0.7, float("inf")))
    angle = _bounds(kwargs, "healthy_angle_range", (-0.2, 0.2))
    rule = partial(rules.hopper, state=state, height=height, angle=angle, hidden=_hidden(kwargs, 1))
    return _if_terminating(kwargs, rule)


def _walker2d(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of Walker2d."""
    height = _bounds(kwargs, "healthy_z_range", (0.8, 2.0))
    angle = _bounds(kwargs, "healthy_angle_range", (-1.0, 1.0))
    rule = partial(rules.walker2d, height=height, angle=angle, hidden=_hidden(kwargs, 1))
    return _if_terminating(kwargs, rule)


def _ant(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of Ant."""
    height = _bounds(kwargs, "healthy_z_range", (0.2, 1.0))
    return _if_terminating(kwargs, partial(rules.ant, height=height, hidden=_hidden(kwargs, 2)))


def _humanoid(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of Humanoid."""
    height = _bounds(kwargs, "healthy_z_range", (1.0, 2.0))
    return _if_terminating(kwargs, partial(rules.humanoid, height=height, hidden=_hidden(kwargs, 2)))


def _inverted_pendulum(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of InvertedPendulum, which no keyword argument changes."""
    del kwargs  # Unused.
    return rules.inverted_pendulum


def _inverted_double_pendulum(kwargs: Mapping[str, Any]) -> TerminationRule | None:
    """Rule of InvertedDoublePendulum, for the standard links only."""
    own_model = kwargs.get("xml_file", "inverted_double_pendulum.xml") != "inverted_double_pendulum.xml"
    return None if own_model else rules.inverted_double_pendulum


def _mountain_car(goal_position: float, kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of MountainCar and MountainCarContinuous."""
    velocity = float(kwargs.get("goal_velocity", 0.0))
    return partial(rules.mountain_car, goal_position=goal_position, goal_velocity=velocity)


def _cart_pole(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of CartPole, which no keyword argument changes."""
    del kwargs  # Unused.
    return rules.cart_pole


def _acrobot(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of Acrobot, which no keyword argument changes."""
    del kwargs  # Unused.
    return rules.acrobot


def _never(kwargs: Mapping[str, Any]) -> TerminationRule:
    """Rule of the environments that only a time limit stops."""
    del kwargs  # Unused.
    return rules.never


def _if_terminating(kwargs: Mapping[str, Any], rule: TerminationRule) -> TerminationRule:
    """Return the rule, or `never` where the environment continues when unhealthy."""
    return rule if kwargs.get("terminate_when_unhealthy", True) else rules.never


def _hidden(kwargs: Mapping[str, Any], n_positions: int) -> int:
    """Count the leading positions that the observation has beyond the default one."""
    return 0 if kwargs.get("exclude_current_positions_from_observation", True) else n_positions


def _bounds(kwargs: Mapping[str, Any], name: str, default: Bounds) -> Bounds:
    """Read an interval, which is a list where the spec went through JSON."""
    value = kwargs.get(name, default)
    try:
        low, high = value
        return float(low), float(high)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name} must be two numbers (low, high), got {value!r}.") from error


def _of_task(rule: RuleBuilder, task: Task) -> RuleBuilder:
    """Rule of a task's environment: its base environment's rule."""
    return partial(_with_keywords, rule, task.base_kwargs)


def _with_keywords(
    rule: RuleBuilder, base_kwargs: Mapping[str, Any], kwargs: Mapping[str, Any]
) -> TerminationRule | None:
    return rule({**base_kwargs, **kwargs})


_GYMNASIUM_RULES: Mapping[str, RuleBuilder] = MappingProxyType(
    {
        f"{name}-{version}": builder
        for name, versions, builder in (
            ("Acrobot", ("v1",), _acrobot),
            ("Ant", ("v4", "v5"), _ant),
            ("CartPole", ("v0", "v1"), _cart_pole),
            ("HalfCheetah", ("v4", "v5"), _never),
            ("Hopper", ("v4", "v5"), _hopper),
            ("Humanoid", ("v4", "v5"), _humanoid),
            ("HumanoidStandup", ("v4", "v5"), _never),
            ("InvertedDoublePendulum", ("v4", "v5"), _inverted_double_pendulum),
            ("InvertedPendulum", ("v4", "v5"), _inverted_pendulum),
            ("MountainCar", ("v0",), partial(_mountain_car, rules.FLAG_POSITION)),
            ("MountainCarContinuous", ("v0",), partial(_mountain_car, rules.GOAL_POSITION)),
            ("Pendulum", ("v1",), _never),
            ("Pusher", ("v4", "v5"), _never),
            ("Reacher", ("v4", "v5"), _never),
            ("Swimmer", ("v4", "v5"), _never),
            ("Walker2d", ("v4", "v5"), _walker2d),
        )
        for version in versions
    }
)

KNOWN_RULES: EnvTable[RuleBuilder] = EnvTable(
    "environment with a termination rule", _GYMNASIUM_RULES, _of_task
)
"""Exact environment id → builder of its rule; a task's environment ends as its base environment does."""


def register_rule(env_id: str, rule: TerminationRule) -> None:
    """Register the termination rule of an environment, for `termination="auto"`.

    Args:
        env_id: Exact id of the environment.
        rule: A function of (obs, action, next_obs), tensors `(B, ...)`, to bool `(B,)`; it reads no value on
            the host. Where keywords of the environment change it, register a `RuleBuilder` in
            `KNOWN_RULES`.

    Raises:
        SettingsError: There is another rule for the environment.
    """
    KNOWN_RULES.register(env_id, partial(_whatever_the_keywords, rule))


def _whatever_the_keywords(rule: TerminationRule, kwargs: Mapping[str, Any]) -> TerminationRule:
    del kwargs  # Unused.
    return rule

"""`ThresholdRule`: the largest disagreement that counts as known, from those on a dataset."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, Self

from offline_envs.dynamics.uncertainty.disagreement import DisagreementStats
from offline_envs.errors import SettingsError
from offline_envs.registry import Registry


def mean_std(stats: DisagreementStats, beta: float) -> float:
    """Mean + β·std over the dataset: Kidambi et al. 2020 (MOReL), in its experiments."""
    return stats.mean + beta * stats.std


def quantile(stats: DisagreementStats, level: float) -> float:
    """The disagreement that a share `level` of the dataset does not exceed."""
    return stats.quantile(level)


def max_over(stats: DisagreementStats, coefficient: float) -> float:
    """Largest disagreement in the dataset over a coefficient: MOReL's release (`pessimism_coef`).

    A coefficient above 1 calls part of the dataset unknown, one below 1 trusts the model beyond it.
    """
    return stats.max / coefficient


class Rule(NamedTuple):
    """A way to choose a threshold.

    Attributes:
        threshold: From statistics and the rule's value to the threshold.
        valid: Whether a value is valid.
        valid_values: Description of the valid values.
        typical: Values to try, from strict to permissive.
    """

    threshold: Callable[[DisagreementStats, float], float]
    valid: Callable[[float], bool]
    valid_values: str
    typical: tuple[float, ...]


RULES: Registry[Rule] = Registry(
    "threshold rule",
    {
        "mean_std": Rule(
            mean_std, lambda v: 0 <= v < math.inf, "0 or more", (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
        ),
        "quantile": Rule(quantile, lambda v: 0 <= v <= 1, "from 0 to 1", (0.95, 0.99, 0.999, 1.0)),
        "max_over": Rule(max_over, lambda v: 0 < v < math.inf, "above 0", (3.0, 1.0, 0.5)),
    },
)
"""Every rule by the name that the `threshold` setting takes."""


@dataclass(frozen=True)
class ThresholdRule:
    """A rule and its value, e.g. `ThresholdRule("mean_std", 10.0)`.

    Attributes:
        name: Name of the rule, see `RULES`.
        value: Its β, level or coefficient.
    """

    name: str
    value: float

    @classmethod
    def from_json(cls, setting: Mapping[str, Any]) -> Self:
        """Read a setting such as `{"mean_std": 10.0}`.

        Raises:
            SettingsError: Not one rule with one number, an unknown rule, or a value out of range.
        """
        if not isinstance(setting, Mapping) or len(setting) != 1:
            raise SettingsError(
                f"threshold must be one rule with its value, e.g. {{'mean_std': 10.0}}, got {setting!r}. "
                f"Rules: {', '.join(sorted(RULES))}."
            )
        ((name, value),) = setting.items()
        rule = RULES.find(name)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not rule.valid(value):
            raise SettingsError(
                f"The value of threshold rule {name!r} must be {rule.valid_values}, got {value!r}."
            )
        return cls(name, float(value))

    def __call__(self, stats: DisagreementStats) -> float:
        """Compute the threshold for a dataset with these statistics."""
        return RULES[self.name].threshold(stats, self.value)

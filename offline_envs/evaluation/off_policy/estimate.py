"""`Estimate`: what an estimator says of a policy's return, and of which return."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Estimate:
    """An estimate of a policy's return, made without the real environment.

    Attributes:
        value: The estimate, in units of the reward.
        interval: Lower and upper end of its interval; None where the estimator has none. What it covers is
            said by each estimator.
        gamma: Discount γ of the return that is estimated; 1 is the undiscounted return.
        horizon: Steps that the return counts; None means until the MDP ends.
        effective_sample_size: Number of equally weighted episodes that would be as informative (Kish 1965);
            None for estimators without weights.
        members: Estimate by each model or critic where there are several, else empty.
    """

    value: float
    interval: tuple[float, float] | None
    gamma: float
    horizon: int | None
    effective_sample_size: float | None = None
    members: tuple[float, ...] = ()

    @property
    def discounted(self) -> bool:
        """Whether the return is a discounted one."""
        return self.gamma < 1

    @property
    def estimates(self) -> str:
        """Which return is estimated, in words."""
        kind = f"discounted by {self.gamma:g}" if self.discounted else "undiscounted"
        steps = "until the end" if self.horizon is None else f"over {self.horizon} steps"
        return f"{kind}, {steps}"

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build an estimate from the result of `to_json`, also after it was a file."""
        interval, members = values["interval"], values["members"]
        tuples = {"interval": None if interval is None else tuple(interval), "members": tuple(members)}
        return cls(**{**values, **tuples})

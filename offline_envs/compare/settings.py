"""`CompareSettings`: how the policies of runs are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_envs.envs import method_class
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.evaluation.off_policy import BANDWIDTHS, BehaviourSettings, Bootstrap, FittedQSettings
from offline_envs.methods import Method
from offline_envs.registration import METHODS
from offline_envs.settings import JsonSettings, check_seed


@dataclass(frozen=True)
class CompareSettings(JsonSettings):
    """The same judges for every policy, whatever it was trained with.

    Attributes:
        model: Folder of a fitted model that judges all policies; None lets each run's own model judge it.
        environment: Learned environment whose pessimism the model-based estimate `penalized` counts.
        env_settings: Settings of its method by name, e.g. `{"penalty_coef": 2.0}`.
        episodes: Imagined episodes in each elite.
        gamma: Discount γ of all estimates but the model-based ones, which are undiscounted.
        horizon: Steps of recorded episodes that importance sampling reads; the longest episode's if None.
        bandwidth: Bandwidth of the kernel that blurs policies, a rule in `BANDWIDTHS` or a number.
        behaviour: Settings of the behaviour's density by name, see `BehaviourSettings`.
        fitted_q: Settings of the Q-function by name, see `FittedQSettings`, but for γ.
        bootstrap: Settings of intervals by name, see `Bootstrap`.
        seed: Seed of everything that has none of its own here.

    Raises:
        SettingsError: An unknown name, or a value out of range.
    """

    model: str | None = None
    environment: str = "PenalizedModel-v0"
    env_settings: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = 20
    gamma: float = 0.99
    horizon: int | None = None
    bandwidth: str | float = "scott"
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    fitted_q: Mapping[str, Any] = field(default_factory=dict)
    bootstrap: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed)
        if self.episodes < 1:
            raise SettingsError(f"episodes must be at least 1, got {self.episodes}.")
        if self.horizon is not None and self.horizon < 1:
            raise SettingsError(f"horizon must be at least 1, got {self.horizon}.")
        if isinstance(self.bandwidth, str):
            BANDWIDTHS.find(self.bandwidth)
        elif not self.bandwidth > 0:
            raise SettingsError(f"bandwidth must be positive, got {self.bandwidth}.")
        if "gamma" in self.fitted_q:
            raise SettingsError("fitted_q cannot hold 'gamma': there is a setting gamma for all estimates.")
        self.method()
        self.behaviour_settings()
        self.fitted_q_settings()
        self.bootstrap_settings()

    def method(self) -> Method:
        """The method whose pessimism counts.

        Raises:
            SettingsError: An unknown environment, or a setting that its method refuses.
        """
        if self.environment not in METHODS:
            raise unknown_name("environment", self.environment, METHODS)
        return method_class(METHODS[self.environment][0]).from_json(self.env_settings)

    def behaviour_settings(self) -> BehaviourSettings:
        """Those of the behaviour's density."""
        return BehaviourSettings.from_json({"seed": self.seed, **self.behaviour})

    def fitted_q_settings(self) -> FittedQSettings:
        """Those of the Q-function."""
        return FittedQSettings.from_json({"seed": self.seed, **self.fitted_q, "gamma": self.gamma})

    def bootstrap_settings(self) -> Bootstrap:
        """Those of intervals."""
        return Bootstrap.from_json({"seed": self.seed, **self.bootstrap})

"""`DiagnoseSettings`: the size of a diagnosis."""

from dataclasses import dataclass

from offline_envs.dynamics import DISAGREEMENTS, check_members
from offline_envs.errors import SettingsError
from offline_envs.methods import Halt, Penalty
from offline_envs.settings import JsonSettings, check_seed


@dataclass(frozen=True)
class DiagnoseSettings(JsonSettings):
    """Size of a diagnosis; the defaults take about a minute on a CPU.

    Attributes:
        rows: Rows of the dataset that are measured, drawn without replacement.
        rollouts: Imagined episodes of the policy, and as many of uniform actions.
        starts: States from which the model's forecasts are compared with real steps.
        horizon: Length of imagined episodes and forecasts, in steps.
        train_horizon: Horizon that a policy is trained with; penalties and halts are counted up to it.
        episodes: Real episodes of the policy.
        penalty_members: Members that the penalties measure, `"all"` or `"elites"`; a threshold
            compares all members.
        disagreement: How far they are apart for a threshold, `"max_distance"` or `"std"`, see `Halt`.
        seed: Seed of all random draws.
    """

    rows: int = 10_000
    rollouts: int = 500
    starts: int = 300
    horizon: int = 50
    train_horizon: int = 5
    episodes: int = 10
    penalty_members: str = Penalty.penalty_members
    disagreement: str = Halt.disagreement
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rows", "rollouts", "starts", "horizon", "train_horizon", "episodes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.train_horizon > self.horizon:
            raise SettingsError(
                f"train_horizon must be at most horizon={self.horizon}, got {self.train_horizon}."
            )
        check_members("penalty_members", self.penalty_members)
        DISAGREEMENTS.find(self.disagreement)
        check_seed(self.seed)

"""`GaussianProcessSettings`: how a Gaussian process is fitted."""

from dataclasses import dataclass

from offline_envs.errors import SettingsError
from offline_envs.settings import JsonSettings, check_seed

MOST_EXACT_ROWS = 10_000
"""Rows of the largest exact process: its matrix takes 0.8 GB for each output."""


@dataclass(frozen=True)
class GaussianProcessSettings(JsonSettings):
    """How a Gaussian process is fitted.

    Attributes:
        n_rows: Training rows that the process is fitted to, drawn at random; None for all of them.
        max_exact_rows: Up to so many rows the posterior is exact, with more it is sparse.
        n_inducing: Inducing points of each output of a sparse process; the baseline of PETS (Chua et al.
            2018) has 200, and 300 for HalfCheetah. They start at random rows and are learned.
        likelihood_rows: Rows, drawn at random, whose marginal likelihood is maximised; the posterior takes in
            all rows. A step of an exact process costs their cube.
        steps: Steps of Adam for each output.
        learning_rate: Learning rate of Adam.
        holdout: Rows kept out to judge the process, at most a fifth of the dataset.
        seed: Seed of the holdout split and of every choice of rows.
    """

    n_rows: int | None = None
    max_exact_rows: int = 2000
    n_inducing: int = 300
    likelihood_rows: int = 4000
    steps: int = 100
    learning_rate: float = 0.1
    holdout: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_inducing", "likelihood_rows", "steps", "learning_rate", "holdout"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.n_rows is not None and self.n_rows < 1:
            raise SettingsError(f"n_rows must be at least 1 or None, got {self.n_rows}.")
        if not 0 <= self.max_exact_rows <= MOST_EXACT_ROWS:
            raise SettingsError(
                f"max_exact_rows must lie in 0..{MOST_EXACT_ROWS}, got {self.max_exact_rows}: an exact "
                "process of n rows keeps n² numbers an output. With more rows it is sparse, see n_inducing."
            )
        check_seed(self.seed)

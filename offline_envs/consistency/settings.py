"""`DiscriminatorSettings`: the networks behind a dynamics reward and their training."""

from dataclasses import dataclass

from offline_envs.consistency.network import SUCCESSORS
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.settings import JsonSettings, check_seed


@dataclass(frozen=True)
class DiscriminatorSettings(JsonSettings):
    """Settings of the discriminators whose mean gives a dynamics reward, and of their training.

    The release of Luo et al. 2024 (MOREC) holds trained discriminators but neither their training nor its
    settings, so these defaults are our own.

    Attributes:
        hidden: Width of each hidden layer.
        n_snapshots: Number of discriminators, K: one network, kept at even distances along its training. The
            release evaluates 10 (with MOBILE) or 40 (with MOPO).
        steps: Gradient steps of the training.
        batch_size: Rows of the dataset in a gradient step, and as many of the model.
        holdout: Rows that are kept out of the training to calibrate logits, at most a fifth of the dataset.
        learning_rate: Learning rate of Adam.
        successor: What a discriminator sees of the next observation: next_obs − obs (`"delta"`, an option of
            the release) or itself (`"next_obs"`, the paper). Both say the same, but a step is small beside
            obs, and a network takes far longer to see its errors there.
        seed: Seed of initial weights, holdout, batches and model samples.

    Raises:
        SettingsError: A number out of range, or an unknown name.
    """

    hidden: tuple[int, ...] = (128, 128)
    n_snapshots: int = 10
    steps: int = 10_000
    batch_size: int = 256
    holdout: int = 5_000
    learning_rate: float = 1e-3
    successor: str = "delta"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_snapshots", "batch_size", "holdout"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.steps < self.n_snapshots:
            raise SettingsError(
                f"steps must be at least n_snapshots={self.n_snapshots}, got {self.steps}: each snapshot "
                "follows a gradient step."
            )
        if not self.hidden or min(self.hidden) < 1:
            raise SettingsError(f"hidden must hold the width of each hidden layer, got {self.hidden}.")
        if self.learning_rate <= 0:
            raise SettingsError(f"learning_rate must be above 0, got {self.learning_rate}.")
        if self.successor not in SUCCESSORS:
            raise unknown_name("successor", self.successor, SUCCESSORS)
        check_seed(self.seed)

    def snapshot_steps(self) -> list[int]:
        """Gradient steps after which a snapshot is kept, ascending; the last one is `steps`."""
        return [(k + 1) * self.steps // self.n_snapshots for k in range(self.n_snapshots)]

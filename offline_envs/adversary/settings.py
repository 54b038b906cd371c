"""`AdversarySettings`: how strongly, how far and how often a model moves against a policy."""

from dataclasses import dataclass

from offline_envs.errors import SettingsError
from offline_envs.mdp import STARTS
from offline_envs.settings import JsonSettings, added_later, check_seed


@dataclass(frozen=True)
class AdversarySettings(JsonSettings):
    """How an adversary changes a model.

    The defaults are those of RAMBO's release (Rigter et al. 2022), with three exceptions: the release has
    `skip_if_zero=True`, `restart_ended=False` and `clip_grad_norm=None`. It has no `tolerance`, as it never
    stops.

    Attributes:
        adv_weight: λ, the weight of the adversarial term against the supervised loss. The release takes 3e-4
            or 0, by dataset. With 0 only the supervised steps are taken.
        skip_if_zero: Skip updates entirely when λ is 0, as the release does.
        horizon: Steps of an imagined episode, h; one gradient step for each. The release takes 2 or 5.
        start: Where imagined episodes start: `"dataset"`, at any observation of the data, as in the release,
            or `"initial"`, at the first of an episode, against policies that exploit the model early on.
        batch_size: Imagined episodes side by side, and rows each member sees in the supervised loss.
        learning_rate: Step size of the adversary's own Adam.
        gamma: Discount factor γ of the agent.
        steps_per_update: Adversarial gradient steps for each gradient step of the agent; of PPO, for each of
            its epochs.
        restart_ended: Whether an imagined episode that ended restarts at a state of the dataset, since
            what follows an end is no part of the MDP. The release continues from the terminal state.
        clip_grad_norm: Norm that larger gradients are scaled down to, or None as in the release. The default
            only stops explosions: on Hopper's replay half of the gradients are below 650, and one in a
            hundred is above 14 000.
        tolerance: How many times its first holdout error a member may have before the adversary stops.
        check_every: Adversarial gradient steps between checks of the holdout error.
        seed: Seed of start states, outcomes and supervised batches.
    """

    adv_weight: float = 3e-4
    skip_if_zero: bool = False
    horizon: int = 5
    start: str = added_later("dataset")
    batch_size: int = 256
    learning_rate: float = 3e-4
    gamma: float = 0.99
    steps_per_update: float = 1.0
    restart_ended: bool = True
    clip_grad_norm: float | None = 1e4
    tolerance: float = 2.0
    check_every: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = ("horizon", "batch_size", "learning_rate", "steps_per_update", "check_every")
        for name in (*positive, *(["clip_grad_norm"] if self.clip_grad_norm is not None else [])):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.adv_weight < 0:
            raise SettingsError(f"adv_weight must be 0 or more, got {self.adv_weight}.")
        if not 0 <= self.gamma <= 1:
            raise SettingsError(f"gamma must be between 0 and 1, got {self.gamma}.")
        if self.tolerance <= 1:
            raise SettingsError(f"tolerance must be above 1, got {self.tolerance}.")
        STARTS.find(self.start)
        check_seed(self.seed)

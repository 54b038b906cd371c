"""`COMBO`: SAC with a conservative critic, on rows of a model and of a dataset."""

from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.fast_sac.learning_rates import check_not_negative
from offline_envs.sb3.fast_sac.sac_step import SACParts, SACStep
from offline_envs.sb3.offline_sac.conservatism import RHOS, ConservativeStep
from offline_envs.settings import check_arguments


class COMBO(FastSAC):
    """Conservative offline model-based policy optimisation (Yu et al. 2021).

    Where a policy leaves the data, values are lowered instead of rewards: the critics' loss has β times the
    difference between a soft maximum of Q over actions and the mean of Q in the dataset. So no uncertainty of
    the model has to be estimated. The soft maximum is over three times `n_candidates` actions at each state,
    drawn from the policy there, from the policy at the next state, and uniformly; each counts by its
    density (CQL, Kumar et al. 2020, appendix F). Gradients flow through all of these values.

    As in the paper, errors are squared and halved. Code that does not halve them, such as OfflineRL-Kit's,
    has the same loss with twice the weight. That code takes the soft maximum of three candidates at a time,
    and leaves the entropy out of the targets (`entropy_backup=False`). The authors published no code.

    With β = 0 this is `FastSAC`, bit for bit.

    Args:
        *args: As for `FastSAC`; the replay buffer has to be a `MixedReplayBuffer`.
        conservative_weight: β.
        n_candidates: Actions from each of the three distributions.
        rho: States at which values are lowered: `"mix"`, those of all rows, or `"model"`, those of the
            model's.
        **kwargs: As for `FastSAC`.

    Raises:
        SettingsError: See `FastSAC`; a setting out of range; at the start of training with β > 0, batches
            without rows that are known to come from a dataset, or with `rho="model"` without the model's.

    Example:
        >>> import gymnasium as gym
        >>> from offline_envs.sb3 import COMBO, MixedReplayBuffer, SB3VecEnv
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> envs = gym.make_vec("LearnedModel-v0", 50, dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> agent = COMBO(
        ...     "MlpPolicy", SB3VecEnv(envs), conservative_weight=0.5, learning_starts=0, device="cpu",
        ...     replay_buffer_class=MixedReplayBuffer,
        ...     replay_buffer_kwargs={"dataset": demo, "real_ratio": 0.5},
        ... )
        >>> agent.learn(100).num_timesteps
        100
    """

    @check_arguments
    def __init__(
        self,
        *args: Any,
        conservative_weight: float = 1.0,
        n_candidates: int = 10,
        rho: str = "mix",
        **kwargs: Any,
    ) -> None:
        self.conservative_weight = conservative_weight
        self.n_candidates = n_candidates
        self.rho = rho
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        check_not_negative(conservative_weight=self.conservative_weight)
        if self.n_candidates < 1:
            raise SettingsError(f"n_candidates must be at least 1, got {self.n_candidates}.")
        if self.rho not in RHOS:
            raise unknown_name("rho", self.rho, RHOS)
        super()._setup_model()

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        if self.conservative_weight:  # before any transition is collected
            self._check_buffer()
        return super()._setup_learn(*args, **kwargs)

    def _check_buffer(self) -> None:
        buffer = self.replay_buffer
        if not isinstance(buffer, MixedReplayBuffer):
            raise SettingsError(
                "COMBO tells rows of the dataset from the model's, which needs "
                f"replay_buffer_class=MixedReplayBuffer, got {type(buffer).__name__}."
            )
        n_real = int(self.batch_size * buffer.real_ratio)
        if n_real < 1:
            raise SettingsError(
                "COMBO needs rows of the dataset in every batch, got "
                f"batch_size={self.batch_size} and real_ratio={buffer.real_ratio}. The paper's ratio is 0.5."
            )
        if self.rho == "model" and n_real == self.batch_size:
            raise SettingsError(
                "COMBO with rho='model' lowers values at rows of the model, which every batch needs, got "
                f"batch_size={self.batch_size} and real_ratio={buffer.real_ratio}. Take a lower real_ratio, "
                "or rho='mix'."
            )

    def _make_step(self, parts: SACParts) -> SACStep:
        if not self.conservative_weight:
            return super()._make_step(parts)
        return ConservativeStep(parts, self.conservative_weight, self.n_candidates, self.rho)

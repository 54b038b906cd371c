"""`MOBILE`: SAC whose targets are lower where a model's members disagree about the next value."""

from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch import Tensor

from offline_envs.dynamics import DynamicsModel
from offline_envs.errors import SettingsError, unknown_name
from offline_envs.kernels import HIDDEN_DTYPES, CapturedCall, warn_of_emulation
from offline_envs.sb3.buffers.rows import check_box
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.fast_sac.learning_rates import check_not_negative
from offline_envs.sb3.fast_sac.sac_step import SACBatch, SACParts, SACStep
from offline_envs.sb3.offline_sac.agent_model import model_of_agent
from offline_envs.sb3.offline_sac.inconsistency import Inconsistency, SuccessorNoise, check_elites
from offline_envs.sb3.standardized_obs import StandardizedObs
from offline_envs.settings import check_arguments

INCONSISTENCIES = ("targets", "values")
"""What the elites may be compared by."""


class MOBILE(FastSAC):
    """Model-Bellman inconsistency penalised policy optimisation (Sun et al. 2023, ICML).

    The critics learn r − β·U + γ (1 − done) (min_j Q̄_j(s′, a′) − α log π(a′|s′)). U is the deviation, over
    the elites of the model, of their Bellman targets at (s, a), see `Inconsistency`. Rows of the dataset have
    no penalty. U is computed by current networks in every gradient step, so it cannot be a reward of an
    environment.

    The model is that of the learned environment in which the agent trains, usually `LearnedModel-v0`: any
    other method's penalty or halts come on top. It is not saved with the agent: a loaded agent acts without
    one, and needs one to train.

    Where the release differs from the paper: it compares values of the next state instead of Bellman targets
    (`inconsistency_of="values"`), keeps targets at 0 or above (`clamp_target=True`), which is wrong where
    returns are negative, and leaves entropy out of them on D4RL.

    Each gradient step evaluates the actor and the target critics at `n_elites * n_successors` states for
    every row from the model, about ten times the work of SAC's own with 5 · 10.

    Args:
        *args: As of `FastSAC`.
        inconsistency_coef: β, the weight of the penalty. With 0 this is `FastSAC`, to the bit.
        n_successors: Next states that are sampled from each elite.
        inconsistency_of: What the elites disagree about: their Bellman targets r + γ V (`"targets"`, the
            paper), or their values V of the next state (`"values"`, the release). The reward is the
            transition's own, for every elite the same, so the former is γ times the latter.
        clamp_target: Whether targets are kept at 0 or above.
        model: Model in place of the environment's: a folder written by `offline-envs fit`, or a
            `DynamicsModel`, which is not saved.
        **kwargs: As of `FastSAC`. With `precision="bfloat16"` the hidden layers in U are rounded as well.

    Raises:
        SettingsError: A setting out of range; at the start of training, no model, one with a single elite, or
            a wrapper in between that changes observations or actions.

    Example:
        >>> import gymnasium as gym
        >>> from offline_envs.sb3 import MOBILE, MixedReplayBuffer, SB3VecEnv
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> envs = gym.make_vec("LearnedModel-v0", 50, dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> agent = MOBILE(
        ...     "MlpPolicy", SB3VecEnv(envs), inconsistency_coef=0.5, learning_starts=0, device="cpu",
        ...     replay_buffer_class=MixedReplayBuffer, replay_buffer_kwargs={"dataset": demo},
        ... )
        >>> agent.learn(100).num_timesteps
        100
    """

    _inconsistency: Inconsistency | None = None

    @check_arguments
    def __init__(
        self,
        *args: Any,
        inconsistency_coef: float = 1.0,
        n_successors: int = 10,
        inconsistency_of: str = "targets",
        clamp_target: bool = False,
        model: str | Path | DynamicsModel | None = None,
        **kwargs: Any,
    ) -> None:
        self.inconsistency_coef = inconsistency_coef
        self.n_successors = n_successors
        self.inconsistency_of = inconsistency_of
        self.clamp_target = clamp_target
        self.model = str(model) if isinstance(model, Path) else model
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        check_not_negative(inconsistency_coef=self.inconsistency_coef)
        if self.n_successors < 1:
            raise SettingsError(f"n_successors must be at least 1, got {self.n_successors}.")
        if self.inconsistency_of not in INCONSISTENCIES:
            raise unknown_name("inconsistency_of", self.inconsistency_of, INCONSISTENCIES)
        if self._penalised:
            warn_of_emulation(self.precision, self.device)
        super()._setup_model()
        self._total, self._n_measured = torch.zeros((), device=self.device), 0
        if self.policy.features_extractor_class is StandardizedObs:
            raise SettingsError(
                "MOBILE asks its model about the observations that its networks see, so StandardizedObs "
                "(standardize_obs in a run) cannot be used."
            )

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """See `FastSAC`; the mean of U over the rows of the model is logged as `train/inconsistency`."""
        self._total.zero_()
        self._n_measured = gradient_steps if self._measures(batch_size) else 0
        super().train(gradient_steps, batch_size)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> tuple[int, BaseCallback]:
        if self._penalised:  # before any transition is collected
            found = model_of_agent(self, self.model)
            check_elites(found)
            if self._inconsistency is not None and self._inconsistency.model is not found:
                self._inconsistency = None  # another environment
                self._graphs.clear()
        return super()._setup_learn(*args, **kwargs)

    @property
    def _penalised(self) -> bool:
        return self.inconsistency_coef > 0

    def _make_step(self, parts: SACParts) -> SACStep:
        self._networks, self._inconsistency = parts, None
        return ClampedStep(parts) if self.clamp_target else super()._make_step(parts)

    def _batch(self, samples: ReplayBufferSamples) -> SACBatch:
        """Take β·U off the rewards of rows of the model: a target less by βU is one of a reward less by βU.

        So the step that learns from them is SAC's own; U is measured with the weights from before that step.
        """
        batch, size = super()._batch(samples), len(samples.rewards)
        if not self._measures(size):
            return batch
        n_real = self._n_real(size)
        penalty = self.inconsistency_coef * self._measured(batch.obs[n_real:], batch.action[n_real:])
        reward = torch.cat([batch.reward[:n_real], batch.reward[n_real:] - penalty])
        return batch._replace(reward=reward)

    def _measured(self, obs: Tensor, action: Tensor) -> Tensor:
        if self._inconsistency is None:
            self._inconsistency = self._new_inconsistency()
            self._measure = _call(self._inconsistency, self.device)
        noise = self._inconsistency.draw(len(obs), self.n_successors, self._networks.generator)
        values: Tensor = self._measure(obs, action, *noise)
        spread = self.gamma * values if self.inconsistency_of == "targets" else values
        self._total += spread.mean()
        return spread

    def _reads(self, size: int) -> tuple[Any, ...]:
        return (*super()._reads(size), self.inconsistency_coef)

    def _measures(self, size: int) -> bool:
        """Whether rows of a batch are penalised."""
        return self._penalised and self._n_real(size) < size

    def _new_inconsistency(self) -> Inconsistency:
        model, space = model_of_agent(self, self.model), check_box("action", self.action_space)
        dtype = HIDDEN_DTYPES[self.precision] if self.precision == "bfloat16" else None
        return Inconsistency(model, self._networks.actor, self._networks.targets, space, dtype=dtype)

    def _log(self, losses: dict[str, float]) -> None:
        if self._n_measured:
            losses = losses | {"inconsistency": float(self._total / self._n_measured)}
        super()._log(losses)

    def _excluded_save_params(self) -> list[str]:
        own = ["_inconsistency", "_measure", "_networks", "_total", "_n_measured"]
        if not isinstance(self.model, str):
            own.append("model")
        return [*super()._excluded_save_params(), *own]


class ClampedStep(SACStep):
    """SAC's gradient step with targets at 0 or above, as in MOBILE's release."""

    def _target(self, batch: SACBatch, action: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
        return super()._target(batch, action, log_prob, alpha).clamp_(min=0)


def _call(measure: Inconsistency, device: torch.device) -> Any:
    """The measure as a function of tensors, replayed as a graph on a CUDA device."""

    def values(obs: Tensor, action: Tensor, *noise: Tensor) -> Tensor:
        return measure(obs, action, SuccessorNoise(*noise))

    return CapturedCall(values, name="MOBILE's inconsistency") if device.type == "cuda" else values

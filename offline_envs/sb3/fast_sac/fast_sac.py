"""`FastSAC`: Stable-Baselines3's SAC with a faster gradient step."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeGuard

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import ReplayBufferSamples, Schedule
from stable_baselines3.common.utils import update_learning_rate
from torch import Tensor
from torch.optim import Adam, Optimizer

from offline_envs.kernels import CapturedCall, FlatAdam, FlatParameters, rounded_products
from offline_envs.sb3.averaging import check_decay
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.fast_sac.learning_rates import (
    ACTOR_SCHEDULES,
    check_not_negative,
    check_schedule,
    rate_at,
)
from offline_envs.sb3.fast_sac.policies import AveragedPolicy, policy_with
from offline_envs.sb3.fast_sac.sac_step import Losses, SACBatch, SACParts, SACStep
from offline_envs.sb3.fast_sac.support import check_precision, check_supported, stacked_actor, stacked_critics
from offline_envs.sb3.fast_sac.temperature import FixedTemperature, LearnedTemperature
from offline_envs.settings import check_arguments


class FastSAC(SAC):
    """SAC with the arguments, the files and, up to rounding, the numbers of `stable_baselines3.SAC`.

    Critics are computed as one batch, gradients are written out instead of recorded, Adam and the targets'
    average are one operation each on all weights, and the host does not wait for the device until the losses
    are logged. On a CUDA device the step is replayed as a graph, with `MixedReplayBuffer` from the numbers of
    its rows on: batch, noise, step and losses. From the same seed it draws the same random
    numbers as SAC. Either class loads what the other saved.

    Networks of any depth and width with ReLU or tanh are supported, and any number of critics, with or
    without layer norms.

    Further settings, all off by default, are those in which codes of offline papers differ from SAC. A
    learning rate is a number or a function of the share of the training that is left, from 1 to 0.

    A subclass that learns otherwise overrides `_make_step`. Its own settings are keywords of its constructor,
    `def __init__(self, *args, weight=1.0, **kwargs)`, kept as attributes of the same names: so they are saved
    and loaded with the agent. They hold from the first gradient step on.

    Args:
        *args: As for `stable_baselines3.SAC`.
        actor_learning_rate: Learning rate of the actor; `learning_rate` if None.
        critic_learning_rate: The same of the critics.
        temperature_learning_rate: The same of the entropy coefficient.
        actor_schedule: Factor of the actor's learning rate over the training: `"constant"`, or `"cosine"`,
            which falls to 0 along half a period (OfflineRL-Kit, once an epoch there).
        max_ent_coef: Bound of a learned entropy coefficient, 1 in the code of Sun et al. 2023 (MOBILE). As
            there, it bounds the coefficient in use; its logarithm keeps learning.
        entropy_backup: Whether the targets' values include the entropy of the policy at the next observation.
            The codes of MOBILE and, in OfflineRL-Kit, of COMBO leave it out in D4RL's datasets.
        critic_layer_norm: Whether each hidden layer of the critics is layer-normalised before its activation
            (Ball et al. 2023, RLPD). Their number is `n_critics` in `policy_kwargs`.
        actor_ema_decay: Decay δ of an exponential moving average of the actor's weights, θ̄ ← δ θ̄ + (1 − δ) θ
            after each gradient step, from the weights before the first one. `predict` with
            `deterministic=True` acts by the average, and so do evaluations and the saved agent; rollouts and
            learning do not, so training is the same with and without. None for no average.
        precision: Precision of the matrix products of a gradient step: `"float32"`, `"tf32"` (CUDA devices),
            or `"bfloat16"`, which rounds their factors to it on a processor with AMX, and is TF32 on CUDA
            devices. Weights, sums and everything else stay float32.
        **kwargs: As for `stable_baselines3.SAC`.

    Raises:
        SettingsError: gSDE, images, dictionaries, another features extractor, activation or optimizer; a
            negative learning rate or bound; an unknown schedule or precision; a decay of 1 or more; another
            policy than `"MlpPolicy"` with `critic_layer_norm` or `actor_ema_decay`.

    Example:
        >>> from offline_envs.sb3 import FastSAC
        >>> agent = FastSAC("MlpPolicy", "Pendulum-v1", device="cpu", seed=0).learn(200)
    """

    _gradient_step: SACStep | None = None
    _policy_of_step: BasePolicy | None = None
    _graphs: dict[tuple[Any, ...], CapturedCall[Losses]]

    @check_arguments
    def __init__(
        self,
        *args: Any,
        actor_learning_rate: float | Schedule | None = None,
        critic_learning_rate: float | Schedule | None = None,
        temperature_learning_rate: float | Schedule | None = None,
        actor_schedule: str = "constant",
        max_ent_coef: float | None = None,
        entropy_backup: bool = True,
        critic_layer_norm: bool = False,
        actor_ema_decay: float | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        self.actor_learning_rate = actor_learning_rate
        self.critic_learning_rate = critic_learning_rate
        self.temperature_learning_rate = temperature_learning_rate
        self.actor_schedule = actor_schedule
        self.max_ent_coef = max_ent_coef
        self.entropy_backup = entropy_backup
        self.critic_layer_norm = critic_layer_norm
        self.actor_ema_decay = actor_ema_decay
        self.precision = precision
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        check_schedule(self.actor_schedule)
        check_not_negative(
            actor_learning_rate=self.actor_learning_rate,
            critic_learning_rate=self.critic_learning_rate,
            temperature_learning_rate=self.temperature_learning_rate,
            max_ent_coef=self.max_ent_coef,
        )
        check_decay(self.actor_ema_decay)
        check_precision(self.precision)
        self.policy_class = policy_with(
            self.policy_class, layer_norm=self.critic_layer_norm, average=self.actor_ema_decay is not None
        )
        super()._setup_model()
        check_supported(self.policy, self._optimizers())
        if isinstance(self.policy, AveragedPolicy):
            self.policy.follows = True
        self._gradient_step, self._graphs = None, {}

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Take gradient steps on batches from the replay buffer, and log the means of the losses.

        Args:
            gradient_steps: Number of gradient steps.
            batch_size: Rows of each batch.
        """
        step = self._begin_updates()
        names, sums, taken = list[str](), torch.zeros((), device=self.device), 0
        try:
            steps = closing(self._steps(gradient_steps, batch_size))
            with torch.no_grad(), rounded_products(self.precision), steps as found:
                for index, losses in enumerate(found):
                    names, sums = list(losses), sums + torch.stack(list(losses.values()))
                    taken += 1
                    if index % self.target_update_interval == 0:
                        step.follow(self.tau)
                    step.average(self.actor_ema_decay or 0.0)
        finally:  # an agent that was interrupted may be saved
            step.count(taken)
        self._n_updates += gradient_steps
        self._log(dict(zip(names, (sums / gradient_steps).tolist(), strict=True)) if names else {})

    def _begin_updates(self) -> SACStep:
        """Prepare the gradient step for a call of `train`."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self._optimizers())
        step = self._step()
        self._refresh(step.temperature)
        if isinstance(self.policy, AveragedPolicy) and (self._n_updates == 0 or not self.policy.has_average):
            self.policy.start_average()
        step.generator.manual_seed(_seed_after(self._n_updates))
        step.gather()
        return step

    def _step(self) -> SACStep:
        """The gradient step of the current policy."""
        if self._gradient_step is None or self._policy_of_step is not self.policy:
            self._gradient_step, self._policy_of_step = self._make_step(self._parts()), self.policy
            self._graphs.clear()
        return self._gradient_step

    def _update_learning_rate(self, optimizers: list[Optimizer] | Optimizer) -> None:
        """Set the learning rates for the share of the training that is left."""
        super()._update_learning_rate(optimizers)
        for name, (optimizer, rate) in self._own_rates(self._current_progress_remaining).items():
            update_learning_rate(optimizer, rate)
            self.logger.record(f"train/{name}_learning_rate", rate)

    def _own_rates(self, left: float) -> dict[str, tuple[Optimizer, float]]:
        """Optimizers with a learning rate of their own, and its current value."""
        rates = {}
        if self.actor_learning_rate is not None or self.actor_schedule != "constant":
            base = self.lr_schedule if self.actor_learning_rate is None else self.actor_learning_rate
            factor = ACTOR_SCHEDULES[self.actor_schedule](left)
            rates["actor"] = (self.actor.optimizer, factor * rate_at(base, left))
        if self.critic_learning_rate is not None:
            rates["critic"] = (self.critic.optimizer, rate_at(self.critic_learning_rate, left))
        if self.temperature_learning_rate is not None and self.ent_coef_optimizer is not None:
            rates["temperature"] = (self.ent_coef_optimizer, rate_at(self.temperature_learning_rate, left))
        return rates

    def _optimizers(self) -> list[Optimizer]:
        own = [self.actor.optimizer, self.critic.optimizer]
        return own if self.ent_coef_optimizer is None else [*own, self.ent_coef_optimizer]

    def _make_step(self, parts: SACParts) -> SACStep:
        """Make the gradient step; called before the first one of a new or loaded agent."""
        return SACStep(parts)

    def _parts(self) -> SACParts:
        activation = self.policy.activation_fn
        actor, critics = stacked_actor(self.actor), stacked_critics(self.critic, activation)
        return SACParts(
            actor,
            FlatAdam(_adam(self.actor.optimizer), actor.flat),
            critics,
            FlatAdam(_adam(self.critic.optimizer), critics.flat),
            stacked_critics(self.critic_target, activation),
            self._temperature(),
            torch.Generator(self.device),
            self.entropy_backup,
            stacked_actor(self.policy.averaged_actor) if isinstance(self.policy, AveragedPolicy) else None,
        )

    def _temperature(self) -> FixedTemperature | LearnedTemperature:
        if self.ent_coef_optimizer is None or self.log_ent_coef is None:
            return FixedTemperature(self.ent_coef_tensor)
        adam = FlatAdam(self.ent_coef_optimizer, FlatParameters([self.log_ent_coef]))
        return LearnedTemperature(adam, float(self.target_entropy), self.max_ent_coef)

    def _refresh(self, temperature: FixedTemperature | LearnedTemperature) -> None:
        """Copy values that may have changed since the last call, in place, where a graph reads them."""
        if isinstance(temperature, LearnedTemperature):
            temperature.target_entropy.fill_(float(self.target_entropy))
        else:
            temperature.value.copy_(self.ent_coef_tensor)

    def _steps(self, n_steps: int, size: int) -> Generator[Losses]:
        """Take gradient steps on batches of the replay buffer, and yield the losses of each.

        On a CUDA device a step is one graph, with its batch if the buffer can draw ahead; losses are
        overwritten by the next.
        """
        buffer, env, step = self.replay_buffer, self._vec_normalize_env, self._step()
        assert buffer is not None
        if env is None and draws_ahead(buffer):
            take = self._replayed(
                lambda rows: step(self._batch(buffer.batch_at(rows))),
                reads=(buffer, *self._reads(size)),
            )
            with closing(buffer.draw(n_steps, size)) as drawn:
                yield from map(take, drawn)
        else:
            take = self._replayed(lambda *parts: step(SACBatch(*parts)), reads=())
            yield from (take(*self._batch(buffer.sample(size, env))) for _ in range(n_steps))

    def _replayed(self, function: Callable[..., Losses], *, reads: tuple[Any, ...]) -> Callable[..., Losses]:
        """Replay a function of tensors as a graph on a CUDA device.

        Args:
            function: The function.
            reads: What it reads on the host; where any of it has changed, the graph is a new one.
        """
        if not captures(self.device):
            return function
        if reads not in self._graphs:
            generators = [self._step().generator]
            call = CapturedCall(function, name="FastSAC's gradient step", generators=generators)
            self._graphs = {reads: call}
        return self._graphs[reads]

    def _batch(self, samples: ReplayBufferSamples) -> SACBatch:
        """The inputs of a gradient step from a batch of the replay buffer."""
        dtype = next(self.actor.parameters()).dtype
        discounts = self.gamma if samples.discounts is None else samples.discounts
        noise = torch.empty(2, *samples.actions.shape, dtype=dtype, device=self.device)
        for part in noise:  # one after the other, as SAC draws them
            part.normal_()
        features = self.actor.features_extractor
        parts = (
            features(samples.observations.to(dtype)),
            samples.actions,
            features(samples.next_observations.to(dtype)),
            samples.rewards,
            (1 - samples.dones) * discounts,
            noise.flatten(0, 1),
            self._is_real(len(samples.rewards)),
        )
        return SACBatch(*(part.to(dtype) for part in parts))

    def _reads(self, size: int) -> tuple[Any, ...]:
        """Everything that changes and that `_batch` reads on the host."""
        return (size, self._n_real(size), self.gamma)

    def _is_real(self, size: int) -> Tensor:
        """Which rows of a batch are known to come from a dataset, `(size, 1)`."""
        real = torch.zeros(size, 1, device=self.device)
        real[: self._n_real(size)] = 1
        return real

    def _n_real(self, size: int) -> int:
        """Number of a batch's rows that are known to come from a dataset: its first ones."""
        buffer = self.replay_buffer
        return buffer.n_real(size) if isinstance(buffer, MixedReplayBuffer) else 0

    def _log(self, losses: dict[str, float]) -> None:
        if self.ent_coef_optimizer is None:
            losses.pop("ent_coef_loss", None)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, value in losses.items():
            self.logger.record(f"train/{name}", value)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_gradient_step", "_policy_of_step", "_graphs"]


def captures(device: torch.device) -> bool:
    """Whether gradient steps are replayed as graphs."""
    return device.type == "cuda"


def draws_ahead(buffer: ReplayBuffer) -> TypeGuard[MixedReplayBuffer]:
    """Whether `draw` and `batch_at` of a buffer give the batches of its `sample`."""
    own = getattr(buffer.sample, "__func__", None) is MixedReplayBuffer.sample
    return own and isinstance(buffer, MixedReplayBuffer)


def _seed_after(n_updates: int) -> int:
    """A seed that a resumed agent computes again, and that costs PyTorch's own generator no number."""
    return int(np.random.SeedSequence([torch.initial_seed(), n_updates]).generate_state(1)[0])


def _adam(optimizer: Any) -> Adam:
    assert isinstance(optimizer, Adam)  # checked by check_supported
    return optimizer

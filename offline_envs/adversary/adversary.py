"""`Adversary`: it moves a model's weights against a policy, as far as the data allow."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from offline_envs.adversary.agent_view import AgentView
from offline_envs.adversary.losses import advantage, adversarial_loss, standardized
from offline_envs.adversary.output_units import OutputUnits
from offline_envs.adversary.report import UpdateReport
from offline_envs.adversary.rollouts import Imagined, Rollouts
from offline_envs.adversary.safety import Safety
from offline_envs.adversary.settings import AdversarySettings
from offline_envs.adversary.supervision import Supervision
from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel, EnsembleDynamics, FitSettings, adam_tensors, make_optimizer
from offline_envs.errors import CheckpointError, SettingsError
from offline_envs.files import differences, read_tensors, write_tensors
from offline_envs.mdp import EliteSampler, LearnedMDP, Sampler, StartStates
from offline_envs.methods import check_movable
from offline_envs.settings import check_arguments


class Adversary:
    """The adversary of RAMBO (Rigter et al. 2022), as in its release except where stated.

    Imagined episodes begin at states of the dataset and follow the policy in the model as it is now. After
    each of their steps the model takes one step of Adam down

        λ · mean(A · log P_φ(s′, r | s, a)) + the loss of the fit,

    with P the mixture of the elites, and A = r + γ·(1 − terminated)·V(s′) − Q(s, a) standardised over the
    batch. The elites remain those of the fit, and only they get the first term; all members get the second,
    which is the loss of single steps.

    Limit set by the data: an outcome that occurs in a share p of the rows and a share q of the imagined steps
    settles at most c = λ·(1 + d)·√q/(2p) deviations from the data, and its variance grows by the factor
    1/(1 − c²), apart from generalisation between inputs. From c = 1 on, and so without data, nothing bounds
    it.

    By default it differs from the release in that ended episodes restart, that gradients beyond a
    large norm are scaled down to it, and that supervised steps are also taken with λ = 0: the settings
    `restart_ended`, `clip_grad_norm` and `skip_if_zero`. It always differs in that a step whose prediction
    explodes has no weight, and that it stops for good once the holdout error says that the model has left
    the data, or at a gradient that is not finite (see `Safety`).

    `update(agent, m)` and `update(agent, n)` are `update(agent, m + n)`.

    Args:
        mdp: The MDP of `AdversarialModel-v0`, `env.unwrapped.mdp`. Its ensemble is changed in place.
        transitions: The dataset that the model was fitted to, `env.unwrapped.transitions`.
        settings: How the model is changed; None means the defaults of `AdversarySettings`.
        fit_settings: How the model was fitted; None means as in MOPO's release.

    Attributes:
        settings: The settings.
        n_steps: Gradient steps taken.
        schedule_offset: Offset from `n_steps` to the running total of a schedule, for the steps still due;
            None before there is one. `AdversarialCallback` sets it, `save` keeps it, and the adversary itself
            does not use it.

    Raises:
        SettingsError: A model that is shared, deterministic, or spectrally normalised; an MDP that does not
            draw an elite and from its whole Gaussian at every step; a fit over several steps, or with
            `value_weight`, whose loss is another one.
        DatasetError: Too few rows for a holdout.

    Warns:
        UserWarning: The model was fitted to other rows than `transitions` and `fit_settings` imply.
    """

    @check_arguments
    def __init__(
        self,
        mdp: LearnedMDP,
        transitions: Transitions,
        *,
        settings: AdversarySettings | None = None,
        fit_settings: FitSettings | None = None,
    ) -> None:
        self.settings, fit_settings = settings or AdversarySettings(), fit_settings or FitSettings()
        self._mdp = mdp
        _check(mdp.members.model)
        _check_sampler(mdp.sampler)
        self._identity = {
            "dataset": transitions.fingerprint,
            "settings": self.settings.to_json(),
            "fit settings": fit_settings.to_json(),
        }
        device = self.ensemble.device
        self._rollouts = Rollouts(
            mdp, StartStates.from_transitions(transitions, self.settings.start, device=device), self.settings
        )
        self._supervision = Supervision(
            self.ensemble, transitions, fit_settings=fit_settings, batch_size=self.settings.batch_size
        )
        self._safety = Safety(
            self.ensemble, self._supervision.holdout_mse(), tolerance=self.settings.tolerance
        )
        self._optimizer = make_optimizer(
            self.ensemble, replace(fit_settings, learning_rate=self.settings.learning_rate)
        )
        self._units = OutputUnits(self.ensemble, self._supervision.output_scale)
        self._generators = {
            "imagined": _generator(2 * self.settings.seed, device),
            "supervised": _generator(2 * self.settings.seed + 1, device),
        }
        self.n_steps = 0
        self.schedule_offset: int | None = None

    @property
    def ensemble(self) -> EnsembleDynamics:
        """The model that is changed."""
        model = self._mdp.members.model
        assert isinstance(model, EnsembleDynamics)  # checked by the constructor
        return model

    @property
    def stopped(self) -> str:
        """Reason why it stopped for good, or "" while it runs."""
        return self._safety.stopped

    def update(self, agent: AgentView, n_steps: int) -> UpdateReport:
        """Take gradient steps against a policy; fewer if the adversary stops, none once it has stopped.

        Args:
            agent: The policy and its values.
            n_steps: Number of gradient steps.

        Warns:
            UserWarning: The adversary stopped, see `Safety`.
        """
        skipped = self.settings.adv_weight == 0 and self.settings.skip_if_zero
        total = torch.zeros(5, device=self.ensemble.elites.device)
        before = self.n_steps
        while not skipped and not self.stopped and self.n_steps < before + n_steps:
            total += self._step(agent)
        taken = self.n_steps - before
        means = (total / taken).tolist() if taken else [math.nan] * len(total)
        return UpdateReport._make([taken, *means, self._safety.ratio])

    def _step(self, agent: AgentView) -> Tensor:
        """One gradient step; returns the figures of `UpdateReport` from its loss to its supervised loss.

        They are 0 for a step that is refused, which is not counted.
        """
        imagined = self._rollouts.step(agent, self._generators["imagined"])
        gain = self._advantage(agent, imagined)
        weight = standardized(gain).masked_fill(imagined.exploded, 0.0)
        adversarial = adversarial_loss(imagined.log_prob, weight)
        supervised = self._supervision.loss(self._generators["supervised"])
        std, mean = torch.std_mean(gain, correction=0)
        figures = torch.stack([adversarial, imagined.log_prob.mean(), mean, std, supervised]).detach()
        if not self._descend(self.settings.adv_weight * adversarial + supervised):
            return torch.zeros_like(figures)
        self.n_steps += 1
        if self.n_steps % self.settings.check_every == 0:
            self._safety.check_holdout(self._supervision.holdout_mse())
        return figures

    @torch.no_grad()
    def _advantage(self, agent: AgentView, step: Imagined) -> Tensor:
        return advantage(
            step.reward,
            agent.state_value(step.next_obs),
            agent.action_value(step.obs, step.action),
            step.terminated,
            gamma=self.settings.gamma,
        )

    def _descend(self, loss: Tensor) -> bool:
        """Step along the gradient of the loss if it is finite; return whether it was."""
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = clip_grad_norm_(self.ensemble.parameters(), self.settings.clip_grad_norm or math.inf)
        finite = self._safety.check_gradient(norm)
        if finite:
            self._units.step(self._optimizer)
        return finite

    def save(self, path: Path | str) -> None:
        """Write everything that `load` needs to resume exactly: one file, atomically."""
        progress = {
            "n_steps": self.n_steps,
            "schedule_offset": self.schedule_offset,
            "age": self._rollouts.age,
            "ratio": self._safety.ratio,
            "stopped": self.stopped,
        }
        write_tensors(Path(path), self._tensors(), {"identity": self._identity, "progress": progress})

    def load(self, path: Path | str) -> None:
        """Resume from what `save` wrote: weights, Adam, random numbers, episodes and safety.

        Raises:
            CheckpointError: The file is missing or damaged, or belongs to other settings, data or networks.
        """
        tensors, header = read_tensors(Path(path))
        self._check_foreign(Path(path), tensors, header)
        for name, value in self._tensors().items():
            value.copy_(tensors[name])
        for name, generator in self._generators.items():
            generator.set_state(tensors[f"generator.{name}"])
        progress = header["progress"]
        self.n_steps, self._rollouts.age = progress["n_steps"], progress["age"]
        self.schedule_offset = progress["schedule_offset"]
        self._safety.ratio, self._safety.stopped = progress["ratio"], progress["stopped"]

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"ensemble.{name}": value for name, value in self.ensemble.state_dict().items()}
        tensors |= {f"good.{name}": value for name, value in self._safety.good.items()}
        tensors |= {f"generator.{name}": g.get_state() for name, g in self._generators.items()}
        tensors |= adam_tensors(self.ensemble, self._optimizer)
        return tensors | {"obs": self._rollouts.obs, "first_mse": self._safety.first}

    def _check_foreign(self, path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        different = differences(self._identity, header.get("identity", {}))
        own = {name: value.shape for name, value in self._tensors().items()}
        if own != {name: value.shape for name, value in tensors.items()}:
            different.append("networks")
        if different:
            raise CheckpointError(f"{path} belongs to an adversary with other {', '.join(different)}.")


def _generator(seed: int, device: torch.device) -> torch.Generator:
    return torch.Generator(device=device).manual_seed(seed)


def _check(ensemble: DynamicsModel) -> None:
    """Refuse a model that must not or cannot be moved against a policy."""
    if not isinstance(ensemble, EnsembleDynamics):
        raise SettingsError(
            f"An adversary changes an ensemble by its gradients, got {type(ensemble).__name__}."
        )
    if not all(parameter.requires_grad for parameter in ensemble.parameters()):
        raise SettingsError(
            "An adversary changes the ensemble, and this one is frozen: others in this process may share it. "
            "Use the MDP of AdversarialModel-v0, which has its own copy."
        )
    check_movable(ensemble.settings)


def _check_sampler(sampler: Sampler) -> None:
    """Refuse steps other than those whose probability the adversary lowers."""
    if sampler != EliteSampler():
        raise SettingsError(
            "An adversary's steps draw an elite and from its whole Gaussian every time, and so must those of "
            f"the MDP, got the sampler {sampler}. Leave member= and spread= out."
        )

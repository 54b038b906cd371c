"""OfflineRL-Kit, imported from a checkout, set up with the sizes that this package is measured with."""

import importlib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import FitSettings

ABSENT = ("gym", "gym.envs", "gym.envs.mujoco", "gym.envs.mujoco.half_cheetah")
"""Modules that OfflineRL-Kit imports on the way and the measured parts never use."""

KIT_ENDS = {
    "Hopper": "termination_fn_hopper",
    "HalfCheetah": "termination_fn_halfcheetah",
    "Walker2d": "termination_fn_walker2d",
}
"""Environment → OfflineRL-Kit's termination function."""

ACTOR_LR, CRITIC_LR, ALPHA_LR = 1e-4, 3e-4, 1e-4
"""Learning rates of its run files."""


def kit_module(checkout: Path, name: str) -> Any:
    """Import `offlinerlkit.<name>` from a checkout.

    Raises:
        FileNotFoundError: The folder holds no OfflineRL-Kit.
    """
    if not (checkout / "offlinerlkit").is_dir():
        raise FileNotFoundError(
            f"{checkout} must be a checkout of OfflineRL-Kit, with a folder offlinerlkit."
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    for absent in ABSENT:
        sys.modules.setdefault(absent, MagicMock())
    return importlib.import_module(f"offlinerlkit.{name}")


def kit_dynamics(checkout: Path, obs_dim: int, action_dim: int) -> Any:
    """OfflineRL-Kit's `EnsembleDynamics`: 7 members of 4x200, HalfCheetah's ends, MOPO's penalty."""
    dynamics, modules = kit_module(checkout, "dynamics"), kit_module(checkout, "modules")
    scaler = kit_module(checkout, "utils.scaler").StandardScaler()
    scaler.fit(np.random.default_rng(0).normal(size=(1000, obs_dim + action_dim)).astype(np.float32))
    ends = kit_module(checkout, "utils.termination_fns").termination_fn_halfcheetah
    model = modules.EnsembleDynamicsModel(obs_dim, action_dim, [200] * 4, weight_decays=[0.0] * 5)
    return dynamics.EnsembleDynamics(model, None, scaler, ends, penalty_coef=1.0)


def kit_ends(checkout: Path, env_id: str) -> Any:
    """OfflineRL-Kit's termination function of an environment.

    Raises:
        ValueError: It is measured in none by that name.
    """
    name = env_id.split("-")[0]
    if name not in KIT_ENDS:
        raise ValueError(
            f"OfflineRL-Kit is measured in {', '.join(KIT_ENDS)}, whose termination functions it has, "
            f"got {env_id}."
        )
    return getattr(kit_module(checkout, "utils.termination_fns"), KIT_ENDS[name])


def kit_unfitted(
    checkout: Path, obs_dim: int, action_dim: int, ends: Any, device: str = "cpu", penalty_coef: float = 1.0
) -> Any:
    """OfflineRL-Kit's `EnsembleDynamics` before its fit, as its run files make it, with MOPO's λ."""
    dynamics, modules = kit_module(checkout, "dynamics"), kit_module(checkout, "modules")
    decays = list(FitSettings().weight_decay)
    model = modules.EnsembleDynamicsModel(obs_dim, action_dim, [200] * 4, weight_decays=decays, device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scaler = kit_module(checkout, "utils.scaler").StandardScaler()
    return dynamics.EnsembleDynamics(model, optimizer, scaler, ends, penalty_coef=penalty_coef)


def kit_buffer(
    checkout: Path, size: int, data: Transitions, *, filled: bool = False, device: str = "cpu"
) -> Any:
    """OfflineRL-Kit's buffer for rows of a dataset's widths, with or without the dataset in it."""
    sizes = (size, (data.obs_dim,), np.float32, data.action_dim, np.float32)
    buffer = kit_module(checkout, "buffer").ReplayBuffer(*sizes, device=device)
    if filled:
        arrays = {
            "observations": data.obs,
            "next_observations": data.next_obs,
            "actions": data.actions,
            "rewards": data.rewards,
            "terminals": data.terminated,
        }
        buffer.load_dataset({name: tensor.numpy() for name, tensor in arrays.items()})
    return buffer


def kit_sac(
    checkout: Path,
    obs_dim: int,
    action_dim: int,
    device: str = "cpu",
    *,
    dynamics: Any = None,
    alpha: float | None = None,
) -> Any:
    """OfflineRL-Kit's MOPO agent, as its `run_mopo.py` makes it; `alpha` fixes the temperature."""
    actor, optimizer = _kit_actor(checkout, obs_dim, action_dim, device)
    critics = [_kit_critic(checkout, obs_dim, action_dim, device) for _ in range(2)]
    optimizers = [torch.optim.Adam(critic.parameters(), lr=CRITIC_LR) for critic in critics]
    policy = kit_module(checkout, "policy").MOPOPolicy
    temperature = _kit_temperature(action_dim, device, alpha)
    return policy(dynamics, actor, *critics, optimizer, *optimizers, alpha=temperature)


def kit_mobile(
    checkout: Path,
    obs_dim: int,
    action_dim: int,
    device: str = "cpu",
    *,
    dynamics: Any,
    penalty_coef: float,
    alpha: float | None = None,
) -> Any:
    """OfflineRL-Kit's MOBILE agent, as its `run_mobile.py` makes it; `alpha` fixes the temperature."""
    actor, optimizer = _kit_actor(checkout, obs_dim, action_dim, device)
    critics = torch.nn.ModuleList(_kit_critic(checkout, obs_dim, action_dim, device) for _ in range(2))
    return kit_module(checkout, "policy").MOBILEPolicy(
        dynamics,
        actor,
        critics,
        optimizer,
        torch.optim.Adam(critics.parameters(), lr=CRITIC_LR),
        alpha=_kit_temperature(action_dim, device, alpha),
        penalty_coef=penalty_coef,
        num_samples=10,
        deterministic_backup=True,
    )


def _kit_actor(checkout: Path, obs_dim: int, action_dim: int, device: str) -> tuple[Any, torch.optim.Adam]:
    """An actor of 2x256 for actions within ±1, and its optimizer."""
    nets, modules = kit_module(checkout, "nets"), kit_module(checkout, "modules")
    distribution = modules.TanhDiagGaussian(256, action_dim, unbounded=True, conditioned_sigma=True)
    actor = modules.ActorProb(nets.MLP(obs_dim, [256, 256]), distribution, device)
    return actor, torch.optim.Adam(actor.parameters(), lr=ACTOR_LR)


def _kit_critic(checkout: Path, obs_dim: int, action_dim: int, device: str) -> Any:
    net = kit_module(checkout, "nets").MLP(obs_dim + action_dim, [256, 256])
    return kit_module(checkout, "modules").Critic(net, device)


def _kit_temperature(action_dim: int, device: str, fixed: float | None) -> Any:
    """A fixed temperature, or what its agents need to learn one: target entropy, logarithm, optimizer."""
    if fixed is not None:
        return fixed
    log_alpha = torch.zeros(1, requires_grad=True, device=device)
    return -float(action_dim), log_alpha, torch.optim.Adam([log_alpha], lr=ALPHA_LR)

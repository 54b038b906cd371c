"""Requirements of `with_device_rollouts` on an agent, its environment and its replay buffer."""

from collections.abc import Iterator
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv

from offline_envs.envs import SameStep, check_imaginable, declares, layers, learned_under
from offline_envs.errors import SettingsError
from offline_envs.sb3.buffers.mixed_replay_buffer import MixedReplayBuffer
from offline_envs.sb3.rollouts.mixin import ChoosesRolloutActions
from offline_envs.sb3.vec_env.vec_env import SB3VecEnv
from offline_envs.wrappers.vector import HaltOnUnknown, UncertaintyPenalty

ON_DEVICE_WRAPPERS = (SameStep, UncertaintyPenalty, HaltOnUnknown)
"""Wrappers that leave observations and actions as they are, and tensors on their device.

A user's wrapper is accepted if its class sets `on_device = True`. Subclasses do not inherit this, as they may
change more.
"""


def device_envs(vec_env: VecEnv) -> VectorEnv[Any, Any, Any]:
    """Return the vector environment under an agent's, if it can be stepped on its device.

    Raises:
        SettingsError: Another environment than a learned one in `SB3VecEnv`, or an unknown wrapper.
    """
    if not isinstance(vec_env, SB3VecEnv):
        raise SettingsError(
            "Rollouts on the device need SB3VecEnv(gym.make_vec(..., output='torch')) unwrapped, got "
            f"{type(vec_env).__name__}. Without it, use the plain agent."
        )
    check_imaginable(vec_env.env)
    for layer in layers(vec_env.env):
        on_device = isinstance(layer, ON_DEVICE_WRAPPERS) or declares(layer, "on_device")
        if layer is vec_env.env.unwrapped or on_device:
            continue
        names = ", ".join(kind.__name__ for kind in ON_DEVICE_WRAPPERS)
        raise SettingsError(
            f"Rollouts on the device accept the wrappers {names} and those with a class attribute on_device "
            f"= True, got {type(layer).__name__}."
        )
    return vec_env.env


def check_on_device(agent: OffPolicyAlgorithm) -> None:
    """Refuse an agent whose transitions cannot stay on the device.

    Raises:
        SettingsError: See `with_device_rollouts`.
    """
    assert agent.env is not None
    for reason in _reasons(agent, learned_under(device_envs(agent.env)).device):
        raise SettingsError(f"Rollouts on the device need {reason}.")


def _reasons(agent: OffPolicyAlgorithm, device: torch.device) -> Iterator[str]:
    if not isinstance(agent.replay_buffer, MixedReplayBuffer):
        yield f"replay_buffer_class=MixedReplayBuffer, got {type(agent.replay_buffer).__name__}"
    if _place(agent.device) != _place(device):
        yield f"agent and environment on one device, got device={str(agent.device)!r} and {str(device)!r}"
    if agent.action_noise is not None:
        yield (
            f"action_noise=None, got {agent.action_noise}, which SB3 draws on the host. Use an agent whose "
            "policy is random, such as SAC, or the plain agent"
        )
    if agent.use_sde:
        yield "independent noise, got use_sde=True. Use the plain agent"
    storer, sampler = (_owner(agent, name) for name in ("_store_transition", "_sample_action"))
    if storer is not OffPolicyAlgorithm:
        yield f"SB3's own _store_transition, which {storer.__name__} overrides and which would not be called"
    if sampler is not OffPolicyAlgorithm and not (
        isinstance(agent, ChoosesRolloutActions) and issubclass(_owner(agent, "rollout_actions"), sampler)
    ):
        yield (
            f"SB3's own _sample_action, which {sampler.__name__} overrides and which would not be called. "
            "Define rollout_actions(obs, learning_starts) there, see ChoosesRolloutActions"
        )
    if not agent.policy.squash_output:
        yield f"a policy that squashes its actions to bounds, got {type(agent.policy).__name__}"
    frequency: Any = agent.train_freq  # a TrainFreq by now
    if frequency.unit != TrainFrequencyUnit.STEP:
        yield f"train_freq in steps, got {frequency.frequency} episodes, whose ends the host would wait for"


def _owner(agent: OffPolicyAlgorithm, name: str) -> type:
    """Return the class that defines an agent's method of that name."""
    return next((kind for kind in type(agent).__mro__ if name in vars(kind)), object)


def _place(device: torch.device) -> tuple[str, int]:
    """Kind and number of a device; "cuda" is the current one."""
    index = torch.cuda.current_device() if device.type == "cuda" and device.index is None else device.index
    return device.type, index or 0

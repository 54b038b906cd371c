"""`cycles`: the training of a `FastSAC` as a coroutine, and which agents can be trained so."""

import sys
from collections.abc import Sequence
from typing import Any

from stable_baselines3 import SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from offline_envs.errors import SettingsError
from offline_envs.sb3.fast_sac.fast_sac import FastSAC
from offline_envs.sb3.together.gradient_steps import GradientSteps
from offline_envs.sb3.together.imagined_steps import ImaginedSteps, can_be_joined
from offline_envs.sb3.together.work import Coroutine

KEPT = (("learn", SAC.learn), ("train", FastSAC.train), ("_steps", FastSAC._steps))
"""Methods that a class must not override, as a coroutine takes their place."""


def check_joinable(agent: type[BaseAlgorithm]) -> None:
    """Refuse a class whose training `cycles` does not do.

    Raises:
        SettingsError: Another class than `FastSAC`, or a subclass that trains in another way.
    """
    if not issubclass(agent, FastSAC):
        raise SettingsError(
            f"Runs that learn together need an agent with FastSAC's training, such as fastsac, got "
            f"{agent.__name__}. Or train in processes (--processes)."
        )
    for name, method in KEPT:
        if getattr(agent, name) is not method:
            raise SettingsError(
                f"Runs that learn together need FastSAC's own {name}, which {agent.__name__} overrides. "
                "Train in processes (--processes) instead."
            )


def cycles(agent: FastSAC, timesteps: int, callbacks: Sequence[BaseCallback]) -> Coroutine:
    """What `agent.learn` does, with the work on the device given to a group.

    Args:
        agent: The agent, of a class that `check_joinable` accepts.
        timesteps: Model transitions to collect, after those that it has collected.
        callbacks: Callbacks, called as by `learn`.
    """
    total, callback = agent._setup_learn(timesteps, list(callbacks), reset_num_timesteps=False)
    callback.on_training_start({"self": agent, "total_timesteps": total}, globals())
    steps = GradientSteps(agent)
    frequency: Any = agent.train_freq  # a TrainFreq by now
    assert agent.env is not None
    assert agent.replay_buffer is not None
    imagined = ImaginedSteps(agent) if can_be_joined(agent) else None
    while agent.num_timesteps < total:
        if imagined is not None and agent.num_timesteps >= agent.learning_starts:
            rollout = yield from imagined.take(frequency.frequency, callback)
        else:
            rollout = agent.collect_rollouts(
                agent.env,
                train_freq=frequency,
                action_noise=agent.action_noise,
                callback=callback,
                learning_starts=agent.learning_starts,
                replay_buffer=agent.replay_buffer,
                log_interval=sys.maxsize,
            )
        if not rollout.continue_training:
            break
        if agent.num_timesteps > max(0, agent.learning_starts):
            wanted = agent.gradient_steps
            yield from steps.take(wanted if wanted >= 0 else rollout.episode_timesteps, agent.batch_size)
    callback.on_training_end()

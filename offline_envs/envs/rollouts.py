"""`rollout`: follow a policy inside a learned MDP, from states of the dataset, without leaving the device."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Self

import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from offline_envs.envs.autoreset import MODES, SameStep
from offline_envs.envs.learned_vector_env import LearnedVectorEnv
from offline_envs.envs.model_lookup import layers
from offline_envs.errors import SettingsError
from offline_envs.mdp import FINAL_OBS, follow
from offline_envs.policies import Policy
from offline_envs.settings import check_arguments


class Rollout(NamedTuple):
    """Transitions of `n` rows at `h` steps, on the device of the model; an entry `[t]` is a step of all rows.

    Flattened, as `field.flatten(0, 1)`, they are `h * n` transitions in the order in which they were made.
    """

    obs: Tensor  # (h, n, d)
    action: Tensor  # (h, n, k), in the environment's units, or one-hot numbers of discrete ones
    reward: Tensor  # (h, n), after pessimism
    next_obs: Tensor  # (h, n, d), the true successor, even where the episode ended
    terminated: Tensor  # (h, n), bool
    truncated: Tensor  # (h, n), bool; a row that terminates at the horizon is both

    @classmethod
    def stack(cls, steps: Iterable[Self]) -> Self:
        """Stack single steps, at least one, whose fields lack the first dimension."""
        return cls(*map(torch.stack, zip(*steps, strict=True)))


@check_arguments
def rollout(
    policy: Policy,
    n: int,
    horizon: int,
    *,
    within: VectorEnv[Any, Any, Any],
    seed: int | None = None,
) -> Rollout:
    """Follow `policy` for `horizon` steps in `n` rows of a learned MDP, each from a state of the dataset.

    A row whose episode terminates starts another one in the same step, from another state of the dataset; all
    rows are truncated at the horizon of their episode. MBPO and MOPO (Janner et al. 2019, algorithm 2; Yu et
    al. 2020, algorithm 2) drop such rows and continue with the rest. Restarting them is what the vector
    environment does with same-step autoreset, in which agents train, so a replay buffer gets the same
    distribution either way; with the same seed and policy, it gets the same numbers. The count is
    `n * horizon` whatever terminates, so nothing has to be compacted, which would make the host wait for a
    GPU: no step reads a value on the host (except that an environment that halts checks its counts at
    every hundredth step until it has judged them).

    The episodes are new ones: `within` lends its model, start states, method and sampler, and keeps its own
    rows, number of rows and horizon.

    Args:
        policy: The policy, computed without gradients. Its randomness is its own.
        n: Number of rows.
        horizon: Steps of each row, and the length at which its episode is truncated.
        within: Environment of `gym.make_vec` with a learned model, of any number of rows, output and
            autoreset mode.
        seed: Seed of start states and predictions; None for different numbers each time.

    Returns:
        Tensors `(horizon, n, ...)` on the model's device.

    Raises:
        SettingsError: Not a learned environment, one in a wrapper, a number that is not an integer of at
            least 1, or actions that are not a tensor of shape `(n, k)`.

    Example:
        >>> import gymnasium as gym
        >>> envs = gym.make_vec(
        ...     "PenalizedModel-v0", 1, dataset="offline-envs/inverteddoublependulum-replay-v0",
        ...     fit={"max_epochs": 1}, progress=False,
        ... )
        >>> rollout(lambda obs: obs[:, :1].clamp(-1, 1), 100, 5, within=envs, seed=0).reward.shape
        torch.Size([5, 100])
    """
    for name, number in (("n", n), ("horizon", horizon)):
        if number < 1:
            raise SettingsError(f"{name} must be at least 1, got {number}.")
    learned = _lender(within)
    # A graph of these rows would serve only this call, and cost more than their steps.
    fresh = LearnedVectorEnv(n, learned.assembly, max_episode_steps=horizon, output="torch", capture=False)
    envs = SameStep(fresh)
    envs.reset(seed=seed)
    return Rollout.stack(islice(imagine(policy, envs), horizon))


@check_arguments
def imagine(policy: Policy, envs: VectorEnv[Any, Any, Any]) -> Iterator[Rollout]:
    """Step `envs` endlessly from its current state with a policy, without leaving the device.

    Episodes continue from one call to the next. Wrappers are stepped as well; they must leave observations
    and actions unchanged, and tensors on their device.

    Args:
        policy: The policy, computed without gradients.
        envs: Learned environment with `output="torch"` and same-step autoreset that has been reset.

    Returns:
        An endless iterator of single steps of all `n` rows, whose fields are those of a `Rollout` without
        their first dimension.

    Raises:
        SettingsError: Another environment.
    """
    check_imaginable(envs)
    return follow(policy, _EnvWorld(envs))


def learned_under(envs: VectorEnv[Any, Any, Any]) -> LearnedVectorEnv:
    """The learned environment under a vector environment's wrappers.

    Raises:
        SettingsError: Another environment.
    """
    if not isinstance(envs.unwrapped, LearnedVectorEnv):
        raise SettingsError(
            "A rollout on the device needs a learned environment of gym.make_vec, such as "
            f"PenalizedModel-v0, got {envs}."
        )
    return envs.unwrapped


def check_imaginable(envs: VectorEnv[Any, Any, Any]) -> None:
    """Refuse an environment whose rows cannot be stepped on its device.

    Raises:
        SettingsError: Not a learned vector environment, NumPy output, or a mode other than same-step.
    """
    learned = learned_under(envs)
    mode = envs.metadata.get("autoreset_mode")
    if learned.output != "torch" or mode != AutoresetMode.SAME_STEP:
        raise SettingsError(
            "A rollout on the device needs gym.make_vec(..., output='torch', autoreset_mode='SameStep'), got "
            f"output={learned.output!r} and autoreset_mode={getattr(mode, 'value', mode)!r}."
        )


class _EnvWorld:
    """A learned vector environment, with its wrappers, whose finished rows restart within the step."""

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self._envs = envs
        self._learned = learned_under(envs)
        self._spaces = self._learned.transitions.agent_spaces

    @property
    def obs(self) -> Tensor:
        """Current observations, `(n, d)`."""
        return self._learned.obs

    def step(self, obs: Tensor, action: Tensor) -> Rollout:
        """Step the environment; the successor is the true one, not the one after a restart."""
        chosen = self._spaces.agent_actions(action)
        _, reward, terminated, truncated, infos = self._envs.step(chosen)
        next_obs = self._spaces.obs_columns(infos[FINAL_OBS])
        return Rollout(obs, action, reward, next_obs, terminated, truncated)


def _lender(envs: VectorEnv[Any, Any, Any]) -> LearnedVectorEnv:
    learned = learned_under(envs)
    for layer in layers(envs):
        if layer is not learned and not isinstance(layer, tuple(MODES.values())):
            raise SettingsError(
                f"New rows would bypass the wrapper {type(layer).__name__}. Use the environment without "
                "it, or PenalizedModel-v0 or PessimisticModel-v0, whose model is pessimistic itself."
            )
    return learned

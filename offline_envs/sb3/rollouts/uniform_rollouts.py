"""`with_uniform_rollouts`: an off-policy SB3 agent that learns from uniformly drawn actions."""

from typing import Any, cast

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import NDArray
from stable_baselines3.common.noise import ActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from offline_envs.errors import SettingsError
from offline_envs.sb3.rollouts.mixin import Agent, uniform_actions, with_mixin
from offline_envs.settings import check_arguments


@check_arguments
def with_uniform_rollouts(agent: type[Agent]) -> type[Agent]:
    """Return an agent class that draws every action uniformly from the action space while it learns.

    MOPO rolls its model out like this on the two tasks that lead away from the data, halfcheetah-jump and
    ant-angle (Yu et al. 2020, `rollout_random` of the release); RAMBO's release does on most AntMaze
    datasets. The policy learns from these actions and chooses none of them; `predict`, and so every
    evaluation, uses the policy as before.

    The environment gets the actions in its own units, the replay buffer the same ones rescaled to [-1, 1].
    They come from the generator of `agent.action_space`, which SB3 seeds with the agent's `seed`, as it does
    for the random actions before `learning_starts`. Unlike those, a step's actions are drawn as one array.

    Nothing is added to what SB3 saves: this class loads files of the plain agent, and the plain agent those
    of this class. Only Python's `pickle` cannot find the class, as it is made on demand.

    With gSDE, the policy learns with it as usual, but its noise affects no rollout.

    Args:
        agent: SAC, TD3, DDPG, TQC, CrossQ, or any other class of off-policy agent; DQN, whose actions are
            discrete, takes each with equal probability.

    Returns:
        A subclass of `agent`, the same one at each call. Its constructor and `load` raise a `SettingsError`
        for an `action_noise`, which would pile actions up at their bounds, and for other actions than a Box
        or discrete ones.

    Raises:
        SettingsError: An agent that does not learn from a replay buffer.

    Example:
        >>> from stable_baselines3 import SAC
        >>> agent = with_uniform_rollouts(SAC)("MlpPolicy", "Pendulum-v1", learning_starts=0, device="cpu")
        >>> isinstance(agent.learn(3), SAC)
        True
    """
    refusal = (
        "Uniform actions need an agent that learns from a replay buffer, such as SAC, TD3, DDPG, TQC or "
        f"CrossQ; {agent.__name__} learns from actions of its own policy only."
    )
    return with_mixin(UniformRollouts, agent, refusal=refusal)


class UniformRollouts(OffPolicyAlgorithm):
    """The methods that `with_uniform_rollouts` puts before an agent's own."""

    def _setup_model(self) -> None:
        if not isinstance(self.action_space, Box | Discrete | MultiDiscrete):
            raise SettingsError(
                f"Uniform rollouts need a Box of actions, or discrete ones, got {self.action_space}."
            )
        if self.action_noise is not None:
            raise SettingsError(
                f"action_noise must be None with uniform rollouts, got {self.action_noise}: their actions "
                "cannot be more random. Leave it out; for a saved agent, load(..., action_noise=None)."
            )
        super()._setup_model()

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw a step's actions, in the environment's units and as the buffer stores them.

        Returns:
            `(n_envs, *shape)` each.
        """
        del learning_starts, action_noise  # Actions are the same before and after; there is no noise.
        if not isinstance(self.action_space, Box):
            drawn = _choices(self.action_space, n_envs)
            return drawn, drawn
        shape = (n_envs, *self.action_space.shape)
        scaled = self.action_space.np_random.uniform(-1.0, 1.0, shape).astype(np.float32)
        return self.policy.unscale_action(scaled), scaled

    def rollout_actions(self, obs: Tensor, learning_starts: int) -> Tensor:
        """Draw a step's actions on the agent's device, see `ChoosesRolloutActions`."""
        del learning_starts
        (action_dim,) = cast(Box, self.action_space).shape
        return uniform_actions(len(obs), action_dim, self.device)


def _choices(space: Any, n_envs: int) -> NDArray[np.int64]:
    """Discrete actions from the space's own generator, `(n_envs, *shape)`."""
    largest = space.n if isinstance(space, Discrete) else space.nvec
    drawn: NDArray[np.int64] = space.start + space.np_random.integers(largest, size=(n_envs, *space.shape))
    return drawn

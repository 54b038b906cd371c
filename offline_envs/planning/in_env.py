"""`plan_in`: a planner for an environment with a learned model."""

from typing import Any

import gymnasium as gym
from gymnasium.spaces import Dict
from gymnasium.vector import VectorEnv

from offline_envs.errors import SettingsError
from offline_envs.mdp import LearnedMDP
from offline_envs.planning.planner import Planner
from offline_envs.policies import ActsIn, planners, policy_from_spec


def plan_in(
    env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any], text: str = "cem", *, seed: int = 0
) -> Planner:
    """Make the planner that a text names, in the model of a learned environment.

    It acts wherever a policy does, also in the real environment. The environment lends its MDP with the
    method, penalty or halt included; its episodes are not touched. Where its observations are a Dict, the
    planner takes them by name, as well as their columns.

    Args:
        env: Environment of `gym.make` or `gym.make_vec` with a learned model.
        text: A planner and its settings, e.g. `"cem:horizon=15,candidates=200"`.
        seed: Seed of the planner.

    Raises:
        SettingsError: An environment without a learned model, or a text that names no planner.

    Example:
        >>> import gymnasium as gym
        >>> demo = "offline-envs/inverteddoublependulum-replay-v0"
        >>> env = gym.make("LearnedModel-v0", dataset=demo, fit={"max_epochs": 1}, progress=False)
        >>> planner = plan_in(env, "cem:horizon=3,candidates=20,elites=2,particles=2")
        >>> obs, _ = env.reset(seed=0)
        >>> action, state = planner.predict(obs)
        >>> action.shape
        (1,)
    """
    mdp = getattr(env.unwrapped, "mdp", None)
    if not isinstance(mdp, LearnedMDP):
        raise SettingsError(
            f"{env.unwrapped} has no learned model to plan in. Make one of the dataset, e.g. "
            "gym.make('LearnedModel-v0', dataset=...); its planner acts in the real environment as well."
        )
    space: Any = getattr(env.unwrapped, "single_action_space", env.action_space)
    planner = policy_from_spec(text, ActsIn(space, seed, mdp))
    if not isinstance(planner, Planner):
        raise SettingsError(f"{text!r} does not plan. Valid: {', '.join(planners())}, with settings.")
    seen = getattr(env.unwrapped, "single_observation_space", env.unwrapped.observation_space)
    planner.obs_space = seen if isinstance(seen, Dict) else None
    return planner

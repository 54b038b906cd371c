"""`Acting`: a policy in one episode at a time, which gets back what it remembers."""

from inspect import signature
from typing import Any

from offline_envs.policies.policy import Predictor


class Acting:
    """Chooses the actions of a policy, and passes its state from step to step.

    The state is the second value of Stable-Baselines3's `predict`: the hidden state of a recurrent policy,
    the plan of a planner, None for the rest. A policy whose `predict` takes no `state` is never given one.

    Args:
        policy: The policy.
        deterministic: Whether to ask for deterministic actions, or for samples.
    """

    def __init__(self, policy: Predictor, *, deterministic: bool = True) -> None:
        self._policy: Any = policy  # `Predictor` does not ask for a state, which most policies lack
        self._takes_state = "state" in signature(policy.predict).parameters
        self._deterministic = deterministic
        self._state: Any = None

    def begin(self) -> None:
        """Forget the episode: another one begins."""
        self._state = None

    def __call__(self, obs: Any) -> Any:
        """Choose the action of the next observation, or of a batch of them whose episodes began together."""
        remembered = {} if self._state is None else {"state": self._state}
        action, state = self._policy.predict(obs, deterministic=self._deterministic, **remembered)
        self._state = state if self._takes_state else None
        return action

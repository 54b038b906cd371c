"""Outputs of a step that are known: a reward function, columns by formula, recorded series."""

from offline_envs.mdp.known.choices import KnownChoice, resolve_known, with_reward
from offline_envs.mdp.known.known import Known, KnownColumns, StepFunction
from offline_envs.mdp.known.replay import Replay

__all__ = ["Known", "KnownChoice", "KnownColumns", "Replay", "StepFunction", "resolve_known", "with_reward"]

"""Planners: policies that look ahead in a learned MDP, on one base."""

from offline_envs.planning.objective import PROPAGATIONS, Objective, TerminalValue
from offline_envs.planning.planner import Decision, Planner
from offline_envs.planning.settings import PlannerSettings, SamplingSettings

__all__ = [
    "PROPAGATIONS",
    "Decision",
    "Objective",
    "Planner",
    "PlannerSettings",
    "SamplingSettings",
    "TerminalValue",
]

"""Agents that learn at the same time on one device, each as it would alone."""

from offline_envs.sb3.together.cycles import check_joinable, cycles
from offline_envs.sb3.together.streams import RandomStreams, streams_kept
from offline_envs.sb3.together.work import Call, Coroutine, Group, Member, Work

__all__ = [
    "Call",
    "Coroutine",
    "Group",
    "Member",
    "RandomStreams",
    "Work",
    "check_joinable",
    "cycles",
    "streams_kept",
]

import sys
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import pytest

from offline_envs.registration import METHODS
from offline_envs.runs import ALGORITHMS

EXTENSIONS = ("ablation", "true_error")
"""Benchmarks that register an environment or an algorithm when they are imported."""


@pytest.fixture
def own_tables() -> Iterator[None]:
    """What a benchmark registers is there for as long as its test."""
    tables: list[dict[str, Any]] = [METHODS, gym.registry, ALGORITHMS._entries]
    before = [dict(table) for table in tables]
    _forget()
    yield
    _forget()
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


def _forget() -> None:
    for name in EXTENSIONS:
        sys.modules.pop(name, None)

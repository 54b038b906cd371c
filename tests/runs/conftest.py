from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from offline_envs.runs import TrainSettings
from tests.runs.resuming.test_resume import obeyed
from tests.runs.tiny import tiny_settings


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Runs of one thread, as each has in a process of its own; Ctrl-C is obeyed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with obeyed():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tiny_model: Path) -> TrainSettings:
    """A tiny run in a model that is fitted already."""
    return tiny_settings(model=str(tiny_model))

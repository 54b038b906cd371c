from pathlib import Path

import pytest

from offline_envs.runs import TrainSettings
from tests.runs.tiny import tiny_settings


@pytest.fixture
def settings(tiny_model: Path) -> TrainSettings:
    """A tiny run in a model that is fitted already."""
    return tiny_settings(model=str(tiny_model))

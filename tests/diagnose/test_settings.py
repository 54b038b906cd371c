from typing import Any

import pytest

from offline_envs.diagnose import DiagnoseSettings
from offline_envs.errors import SettingsError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows must be at least 1, got 0"),
        ({"episodes": -1}, "episodes must be at least 1, got -1"),
        ({"horizon": 3}, "train_horizon must be at most horizon=3, got 5"),
        ({"penalty_members": "some"}, "Unknown penalty_members 'some'"),
        ({"seed": -1}, r"seed must lie in 0\.\.9223372036854775807, got -1"),
        ({"seed": 2**70}, r"seed must lie in 0\.\."),
        ({"rollouts": 1.5}, "rollouts must be of type int"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        DiagnoseSettings(**changes)

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.settings import JsonSettings


@dataclass(frozen=True)
class Example(JsonSettings):
    count: int = 1
    rate: float = 0.5
    limit: float | None = None
    name: str = "a"
    on: bool = False
    widths: tuple[int, ...] = (4,)
    rule: Mapping[str, float] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def test_settings_survive_json() -> None:
    settings = Example(2, 1.5, 3.0, "b", True, (1, 2), {"x": 1.0}, {"y": [1, {"z": None}]})
    assert Example.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_numbers_become_pythons_own() -> None:
    """Equal settings have to be equal in files: caches are looked up by them."""
    settings = Example(count=np.int64(3), rate=2, limit=np.float32(0.5))  # type: ignore[arg-type]
    assert settings == Example(3, 2.0, 0.5)
    assert json.dumps(settings.to_json()) == json.dumps(Example(3, 2.0, 0.5).to_json())
    assert [type(v) for v in (settings.count, settings.rate, settings.limit)] == [int, float, float]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1.0}, "count must be of type int, got 1.0"),
        ({"count": True}, "count must be of type int, got True"),
        ({"rate": "1"}, "rate must be of type float, got '1'"),
        ({"limit": "1"}, r"limit must be of type float \| None, got '1'"),
        ({"on": 1}, "on must be of type bool, got 1"),
        ({"widths": [1.5]}, r"widths must be of type tuple\[int, ...\], got \(1.5,\)"),
        ({"rule": "x"}, r"rule must be of type .*Mapping\[str, float\] \| None, got 'x'"),
        ({"more": [1]}, "more must be settings by name, got"),
        ({"more": {"x": object()}}, "more must hold only what JSON can"),
        ({"counts": 1}, "Unknown setting of Example 'counts'. Valid: count, limit"),
    ],
)
def test_what_does_not_fit_its_annotation_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Example.from_json(values)


def test_a_wrong_type_is_also_a_type_error() -> None:
    with pytest.raises(SettingsTypeError):
        Example(count="1")  # type: ignore[arg-type]

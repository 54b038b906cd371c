import json
from collections import UserDict, UserList
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytest
import torch

from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.settings import JsonSettings, TypedSettings, added_later, check_arguments, check_seed


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
        ({"more": {"x": float("nan")}}, "more must hold only what JSON can"),
        ({"rate": float("nan")}, "rate must be finite, got nan"),
        ({"limit": float("inf")}, "limit must be finite, got inf"),
        ({"count": None}, "count must be of type int, got None"),
        ({"count": [1]}, r"count must be of type int, got \(1,\)"),
        ({"on": "no"}, "on must be of type bool, got 'no'"),
        ({"counts": 1}, "Unknown setting of Example 'counts'. Valid: count, limit"),
    ],
)
def test_what_does_not_fit_its_annotation_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Example.from_json(values)


def test_a_wrong_type_is_also_a_type_error() -> None:
    with pytest.raises(SettingsTypeError):
        Example(count="1")  # type: ignore[arg-type]


def test_settings_by_name_come_as_a_mapping() -> None:
    with pytest.raises(SettingsTypeError, match="Example must be given as settings by name, got 3"):
        Example.from_json(3)  # type: ignore[arg-type]


def test_numpys_numbers_are_numbers_wherever_they_are() -> None:
    settings = Example(on=np.True_, widths=(np.int32(2),), more={"x": np.float64(0.5)})  # type: ignore[arg-type]
    assert settings == Example(on=True, widths=(2,), more={"x": 0.5})
    assert settings.on is True


@dataclass(frozen=True)
class Needing(JsonSettings):
    place: str
    rate: float
    count: int = 1


def test_a_setting_without_a_default_that_is_missing_is_named() -> None:
    """Python would speak of arguments of `__init__`, which whoever wrote a file has never seen."""
    with pytest.raises(SettingsError, match=r"Needing must be given rate, got place, count\."):
        Needing.from_json({"place": "a", "count": 2})
    with pytest.raises(SettingsError, match=r"Needing must be given place, rate, got no settings\."):
        Needing.from_json({})


@dataclass(frozen=True)
class Grown(JsonSettings):
    count: int = 1
    name: str = added_later("a")


def test_lists_and_mappings_of_other_packages_are_taken() -> None:
    """As those of OmegaConf, which are neither `list` nor `dict`."""
    given = {"widths": UserList([1, 2]), "rule": UserDict(x=1), "more": UserDict(a=UserList([UserDict(b=2)]))}
    plain: dict[str, Any] = {"widths": [1, 2], "rule": {"x": 1}, "more": {"a": [{"b": 2}]}}
    settings = Example.from_json(UserDict(given))
    assert settings == Example.from_json(plain)
    assert json.dumps(settings.to_json()) == json.dumps(Example.from_json(plain).to_json())


def test_a_setting_added_later_is_written_only_where_it_was_changed() -> None:
    """Caches are looked up by what is written, and those of earlier versions must be found again."""
    assert Grown(2).to_json() == {"count": 2}
    assert Grown(2, "b").to_json() == {"count": 2, "name": "b"}
    assert Grown.from_json({"count": 2}) == Grown(2, "a")
    assert Grown.from_json(Grown(2, "b").to_json()) == Grown(2, "b")
    with pytest.raises(SettingsTypeError, match="name must be of type str, got 3"):
        Grown(name=3)  # type: ignore[arg-type]


class Quoted:
    """A class that an annotation names in quotes."""


@dataclass(frozen=True)
class Parts(TypedSettings):
    """Settings that JSON cannot hold."""

    rule: str | Callable[[int], int] = "none"
    folder: str | Path | None = None
    part: "Quoted | None" = None


def test_paths_and_functions_are_checked_too() -> None:
    assert Parts(abs, Path("x")).folder == Path("x")
    with pytest.raises(SettingsTypeError, match=r"rule must be of type str \| function, got 3"):
        Parts(rule=3)  # type: ignore[arg-type]
    with pytest.raises(SettingsTypeError, match=r"folder must be of type str \| Path \| None, got 3"):
        Parts(folder=3)  # type: ignore[arg-type]
    assert Parts(part=Quoted()).part is not None


@check_arguments
def scaled(value: float, *more: float, times: int = 2, **options: float) -> list[float]:
    return [times * number for number in (value, *more, *options.values())]


@runtime_checkable
class Sized(Protocol):
    size: torch.Tensor

    def forward(self) -> int: ...


class Module(torch.nn.Module):
    def forward(self) -> int:
        return 0


def test_a_protocol_is_followed_by_what_a_module_keeps_as_a_buffer_too() -> None:
    @check_arguments
    def use(thing: Sized | None) -> bool:
        return thing is not None

    module = Module()
    with pytest.raises(SettingsError, match=r"thing must be of type Sized \| None, got Module\(\)"):
        use(module)  # type: ignore[arg-type]
    module.register_buffer("size", torch.zeros(1))
    assert use(module)  # type: ignore[arg-type]
    assert use(None) is False


def test_arguments_of_a_function_are_checked_by_their_annotations() -> None:
    assert scaled(1, 2, times=np.int64(3), x=4) == [3, 6, 12]  # type: ignore[arg-type]
    with pytest.raises(SettingsTypeError, match="times must be of type int, got '2'"):
        scaled(1.0, times="2")  # type: ignore[arg-type]
    with pytest.raises(SettingsTypeError, match="value must be of type float, got True"):
        scaled(True)
    with pytest.raises(TypeError, match=r"scaled\(\) missing 1 required positional argument: 'value'"):
        scaled()  # type: ignore[call-arg]


def test_a_seed_is_one_that_every_generator_takes() -> None:
    check_seed(2**63 - 1)
    np.random.default_rng(2**63 - 1)
    torch.Generator().manual_seed(2**63 - 1)
    with pytest.raises(SettingsError, match=r"seed must lie in 0\.\.9223372036854775807, got 11805916"):
        check_seed(2**70)
    with pytest.raises(SettingsError, match=r"seed must lie in 0\.\.3, got -1"):
        check_seed(-1, largest=3)

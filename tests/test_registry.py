import pytest

from offline_envs.errors import SettingsError
from offline_envs.registry import Registry


def shapes() -> Registry[int]:
    return Registry("shape", {"triangle": 3, "square": 4})


def test_it_is_a_mapping_in_the_order_of_entry() -> None:
    assert list(shapes().items()) == [("triangle", 3), ("square", 4)]
    assert "square" in shapes()
    assert len(shapes()) == 2


def test_an_unknown_name_is_refused_with_the_valid_ones() -> None:
    assert shapes().find("square") == 4
    for name in ("circle", 3, None, ["square"]):
        with pytest.raises(SettingsError, match=r"Unknown shape .*\. Valid: square, triangle"):
            shapes().find(name)


def test_other_packages_add_entries_and_replace_none() -> None:
    table = shapes()
    assert table.register("mine/circle", 0) == 0
    assert table.find("mine/circle") == 0
    table.register("mine/circle", 0)  # a module may be imported twice
    with pytest.raises(SettingsError, match="The shape 'square' exists already"):
        table.register("square", 5)
    assert table["square"] == 4

"""The README's Python blocks run in order in one namespace, and so do the examples in docstrings."""

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import offline_envs.tasks
import offline_envs.wrappers
from tests.fast_fit import make_everything_small

README = Path(__file__).parents[1] / "README.md"
SKIP = "<!-- skip-test -->"


def python_blocks(text: str) -> list[tuple[int, str]]:
    """Line number and code of each Python block that is not marked to be skipped."""
    blocks = re.finditer(r"(?m)^(?P<before>.*\n)?```python\n(?P<code>(?:.*\n)*?)```$", text)
    return [
        (text.count("\n", 0, block.start("code")) + 1, block["code"])
        for block in blocks
        if (block["before"] or "").strip() != SKIP
    ]


def modules_with_examples() -> Iterator[str]:
    """Modules of the package that have an example in a docstring."""
    for module in pkgutil.walk_packages(offline_envs.__path__, "offline_envs."):
        spec = importlib.util.find_spec(module.name)
        if spec is not None and spec.origin and ">>>" in Path(spec.origin).read_text(encoding="utf-8"):
            yield module.name
    for package in (offline_envs.wrappers, offline_envs.tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            path = Path(str(importlib.util.find_spec(module.name).origin))  # type: ignore[union-attr]
            if ">>>" in path.read_text(encoding="utf-8"):
                yield module.name


def test_blocks_are_found_and_marked_ones_are_left_out() -> None:
    text = f"a\n```python\nx = 1\n```\n{SKIP}\n```python\ny\n```\n```bash\nz\n```\n\n```python\n```\n"
    assert python_blocks(text) == [(3, "x = 1\n"), (14, "")]


def test_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    make_everything_small(monkeypatch)
    namespace: dict[str, object] = {"__name__": "readme"}
    blocks = python_blocks(README.read_text(encoding="utf-8"))
    assert blocks
    for line, code in blocks:
        padded = "\n" * (line - 1) + code  # So that a traceback names the README's own lines.
        exec(compile(padded, str(README), "exec"), namespace)


@pytest.mark.parametrize("name", sorted(set(modules_with_examples())))
def test_examples_in_docstrings_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_everything_small(monkeypatch)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0

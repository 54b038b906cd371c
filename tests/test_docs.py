"""Python blocks of README and docs run as a user's code, as do examples in docstrings; links exist."""

import doctest
import importlib
import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import offline_envs.tasks
import offline_envs.wrappers
from offline_envs.agents import AGENTS
from offline_envs.data import SOURCES
from offline_envs.dynamics import MEASURES, MODEL_KINDS
from offline_envs.mdp import SAMPLERS
from offline_envs.policies import POLICIES
from offline_envs.registration import METHODS, TASKS
from offline_envs.runs import ALGORITHMS
from offline_envs.simulator import LAYOUTS
from offline_envs.tasks import KNOWN_RULES
from tests.fast_fit import make_everything_small

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""What a user reads."""

TEXTS = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks" / "README.md",
]
REGISTRIES = (MEASURES, SAMPLERS, MODEL_KINDS, POLICIES, ALGORITHMS, AGENTS, SOURCES)
MODULE = "my_package"
ONE_MODULE = ("extending.md",)
"""Pages whose blocks are one module."""

SKIP = "<!-- skip-test -->"


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


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


@pytest.fixture
def own_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page registers is there for as long as its test."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", dict(registry))
    for table_of_ids in (KNOWN_RULES, LAYOUTS):  # which also hold the tasks'
        monkeypatch.setattr(table_of_ids, "_entries", dict(table_of_ids._entries))
    tables: list[dict[str, Any]] = [METHODS, TASKS, gym.registry]
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


@pytest.mark.usefixtures("own_tables")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if python_blocks(page.read_text("utf-8"))], ids=label
)
def test_the_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each block by itself, or those of `ONE_MODULE` in order, as a user's module in a user's folder."""
    make_everything_small(monkeypatch)
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(MODULE)
    for line, code in python_blocks(page.read_text(encoding="utf-8")):
        if page.name not in ONE_MODULE:
            module = types.ModuleType(MODULE)
        monkeypatch.setitem(sys.modules, MODULE, module)
        padded = "\n" * (line - 1) + code  # So that a traceback names the page's own lines.
        exec(compile(padded, str(page), "exec"), module.__dict__)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "extending.md"], ids=label)
def test_pages_have_blocks_at_all(page: Path) -> None:
    assert python_blocks(page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings: lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """Links and images to files that do not exist, or to headings that their page lacks."""
    dead = []
    for target in re.findall(r"\]\(([^):\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("text", TEXTS, ids=label)
def test_links_lead_somewhere(text: Path) -> None:
    assert dead_links(text) == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One `Heading`, here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#one-heading-here) [b](other.md#none) ![c](no.png) [d](#here)\n## Here\n[e](https://x.y)\n"
    )
    assert dead_links(page) == ["other.md#none", "no.png"]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if page.stem != "index" and f"({page.name})" not in index] == []


def test_the_readme_is_short() -> None:
    """The manual is in docs/; what a newcomer reads fits on a screen and a half."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("## Further reading") > 0
    assert text[: text.index("## Further reading")].count("\n") <= 90


@pytest.mark.parametrize("name", sorted(set(modules_with_examples())))
def test_examples_in_docstrings_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_everything_small(monkeypatch)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0

"""The changelog is in order, of this version, and names what there is."""

import importlib
import re
from datetime import date
from pathlib import Path

import pytest

import offline_envs

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
"""Sections of a release, in the order of Keep a Changelog."""

RELEASE = re.compile(r"(?m)^## (?P<title>.+)\n(?P<body>(?:(?!## ).*\n)*)")
ENTRY = re.compile(r"(?m)^- .*\n(?:  .*\n)*")


def releases() -> dict[str, str]:
    """Heading → text of every release, the newest first."""
    return {release["title"]: release["body"] for release in RELEASE.finditer(TEXT)}


def dated() -> list[tuple[str, date]]:
    """Version and date of every release but the next one."""
    titles = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\S+)", title) for title in list(releases())[1:]]
    return [(title[1], date.fromisoformat(title[2])) for title in titles if title is not None]


def test_every_release_has_a_version_and_a_date_and_the_next_one_is_first() -> None:
    assert next(iter(releases())) == "[Unreleased]"
    assert len(dated()) == len(releases()) - 1 > 0
    assert dated() == sorted(dated(), key=lambda release: release[1], reverse=True)


def test_package_changelog_and_citation_are_of_one_version() -> None:
    """The version of the package is the one place; the others repeat it."""
    version, day = dated()[0]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert version == offline_envs.__version__
    assert f"\nversion: {version}\ndate-released: {day}\n" in citation
    assert 'version = { attr = "offline_envs.__version__" }' in (ROOT / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("title", releases())
def test_a_release_has_its_sections_in_order_and_short_entries_that_differ(title: str) -> None:
    body = releases()[title]
    found = re.findall(r"(?m)^### (.*)$", body)
    assert found == [kind for kind in KINDS if kind in found]
    entries = ENTRY.findall(body)
    assert [entry for entry in entries if entry.count("\n") > 2] == []
    assert len(set(entries)) == len(entries)
    settings = re.findall(r"`(\w+(?:Settings)\.\w+)`", body)
    assert sorted(set(settings)) == sorted(settings)


def test_names_of_the_next_release_exist() -> None:
    """All but those that are gone: their first name is what is removed."""
    gone = re.findall(r"(?m)^- `(offline_envs[\w.]+)`: ", releases()["[Unreleased]"].split("### Removed")[-1])
    names = set(re.findall(r"`(offline_envs(?:\.\w+)+)", releases()["[Unreleased]"])) - set(gone)
    assert len(names) > 10
    assert [name for name in sorted(names) if not exists(name)] == []
    assert [name for name in gone if exists(name)] == []


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or leads to something in one."""
    parent, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return hasattr(importlib.import_module(parent), last)
    return True

"""What docs/ says of the public face is what the code has."""

import importlib
import inspect
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from gymnasium.vector import AutoresetMode
from typer.testing import CliRunner

from offline_envs.agents import AGENTS
from offline_envs.cli import app
from offline_envs.consistency import DiscriminatorSettings
from offline_envs.dynamics import MEASURES, EnsembleSettings, FitSettings, GaussianProcessSettings
from offline_envs.envs import ModelOptions, method_class
from offline_envs.envs.entry_points import learned_vector_env
from offline_envs.policies import POLICIES, InModel, planners
from offline_envs.registration import ENV_IDS, METHODS
from offline_envs.registry import Registry
from offline_envs.runs import ALGORITHMS
from offline_envs.sb3 import COMBO, MOBILE, RAVL, REDQ, AveragedTRPO, FastSAC
from tests.test_architecture import GROUND, MAY_IMPORT

DOCS = Path(__file__).parents[1] / "docs"
ROW = re.compile(r"(?m)^\| `([\w.]+)` \| (.*) \|$")


def stable() -> list[tuple[str, str]]:
    """(package, name) of every row of docs/api.md."""
    rows = ROW.findall((DOCS / "api.md").read_text(encoding="utf-8"))
    return [
        (package, name)
        for package, names in rows
        for name in re.findall(r"`([\w.]+)`", names)
        if not name.startswith("offline_envs")
    ]


@pytest.mark.parametrize(("package", "name"), stable())
def test_a_stable_name_is_exported(package: str, name: str) -> None:
    module = importlib.import_module(package)
    assert hasattr(module, name)
    assert name in getattr(module, "__all__", vars(module))


def own(table: Registry[Any]) -> list[str]:
    """Names of the package's own entries: other test modules register theirs in the same process."""
    return [name for name in table if not name.startswith("tests/")]


def settings_tables() -> dict[str, dict[str, str]]:
    """Heading of docs/settings.md → setting → its default as it is written there."""
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    sections = re.split(r"(?m)^## ", text)[1:]
    return {
        section.splitlines()[0]: dict(re.findall(r"(?m)^\| `(\w+)` \| .* \| `?(.*?)`? \|$", section))
        for section in sections
    }


def written(value: Any) -> str:
    if isinstance(value, AutoresetMode):
        value = value.value
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_the_settings_of_every_environment_are_listed_with_their_defaults() -> None:
    expected = {field.name: written(field.default) for field in fields(ModelOptions)}
    assert settings_tables()["Every environment"] == {"dataset": "required", **expected}


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_the_settings_of_each_method_are_listed_with_their_defaults(env_id: str) -> None:
    kind = method_class(METHODS[env_id][0])
    assert all(field.default is not MISSING for field in fields(kind))
    expected = {field.name: written(field.default) for field in fields(kind)}
    assert settings_tables().get(f"`{env_id}`", {}) == expected


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Ensemble", EnsembleSettings),
        ("Fit", FitSettings),
        ("Discriminators", DiscriminatorSettings),
        ("Gaussian process", GaussianProcessSettings),
    ],
)
def test_the_settings_of_models_are_listed_with_their_defaults(heading: str, kind: Any) -> None:
    assert settings_tables()[heading] == {field.name: written(field.default) for field in fields(kind)}


@pytest.mark.parametrize("name", planners())
def test_the_settings_of_planners_are_listed_with_their_defaults(name: str) -> None:
    entry = POLICIES[name]
    assert isinstance(entry, InModel)
    kind = entry.load().settings_type
    assert settings_tables()[f"Planner `{name}`"] == {f.name: written(f.default) for f in fields(kind)}
    assert f"| `{name}` | `{entry.class_name}` |" in (DOCS / "planning.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "kind", [FastSAC, AveragedTRPO, COMBO, MOBILE, RAVL, REDQ], ids=lambda kind: kind.__name__
)
def test_the_settings_of_agents_are_listed_with_their_defaults(kind: type) -> None:
    own = inspect.signature(vars(kind)["__init__"]).parameters.values()
    expected = {p.name: written(p.default) for p in own if p.kind is p.KEYWORD_ONLY}
    assert settings_tables()[f"`{kind.__name__}`"] == expected


def test_the_settings_of_vector_environments_are_listed_with_their_defaults() -> None:
    parameters = inspect.signature(learned_vector_env).parameters
    own = [n for n in parameters if n not in ("dataset", "method", "max_episode_steps", "options")]
    expected = {
        name: "required"
        if parameters[name].default is inspect.Parameter.empty
        else written(parameters[name].default)
        for name in own
    }
    assert settings_tables()["`gym.make_vec` only"] == expected


def test_the_pages_name_every_id_measure_and_algorithm() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    settings = (DOCS / "settings.md").read_text(encoding="utf-8")
    commands = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert [env_id for env_id in ENV_IDS if f"`{env_id}`" not in readme] == []
    assert [name for name in own(MEASURES) if f'`"{name}"`' not in settings] == []
    assert [name for name in own(ALGORITHMS) if f"`{name}`" not in commands] == []


def test_the_help_of_train_names_every_measure_algorithm_and_agent() -> None:
    """The command line starts without the modules that hold the first two tables."""
    text = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["train", "--help"]).stdout
    assert [name for table in (MEASURES, ALGORITHMS, AGENTS) for name in own(table) if name not in text] == []


def test_contributing_lists_every_part_after_those_that_it_may_import() -> None:
    text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.findall(r"(?m)^\| `(\w+)` \|", text[text.index("| part |") : text.index("## Style")])
    assert set(parts) | {""} == set(MAY_IMPORT)
    assert set(parts[: len(GROUND)]) == GROUND
    assert [part for n, part in enumerate(parts) if not MAY_IMPORT[part] <= set(parts[:n]) | GROUND] == []

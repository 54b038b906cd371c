"""Laws over the source text: who may import whom, how long things may be, what is packaged."""

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE_FOLDERS = {
    "offline_envs": "offline_envs",
    "tasks": "offline_envs.tasks",
    "wrappers": "offline_envs.wrappers",
}
OTHER_FOLDERS = ("tests", "examples", "benchmarks")

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_FOLDER_MODULES = 14
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "misc"}
SLOW_MODULES = ("torch", "stable_baselines3", "minari", "matplotlib")

GROUND = {
    "errors",
    "registration",
    "registry",
    "agents",
    "versions",
    "settings",
    "files",
    "kernels",
    "progress",
}
MODEL = GROUND | {"data", "tasks", "dynamics", "policies"}
WORLD = MODEL | {"simulator", "consistency", "mdp", "planning", "methods", "envs"}
MAY_IMPORT: dict[str, set[str]] = {
    "": {"registration", "declared", "data"},  # offline_envs/__init__.py; data only when first asked for
    "registration": {"errors"},  # strings only
    "declared": {"errors", "registration"},
    "errors": set(),
    "versions": set(),
    "registry": {"errors"},
    "agents": {"registry"},
    "settings": {"errors"},
    "plugins": {"errors"},
    "files": {"errors"},
    "kernels": {"errors"},
    "progress": set(),
    "data": {"errors", "files", "registration", "registry"},
    "tasks": {"data", "registration", "registry", "versions", "errors"},
    "simulator": GROUND | {"data", "tasks"},
    "dynamics": GROUND | {"data", "tasks"},
    "policies": GROUND | {"data"},
    "consistency": GROUND | {"data", "dynamics"},
    "mdp": MODEL,
    "methods": MODEL | {"mdp", "consistency"},
    "planning": MODEL | {"mdp"},
    "envs": MODEL | {"simulator", "consistency", "mdp", "methods"},
    "wrappers": WORLD,
    "evaluation": WORLD,
    "adversary": WORLD,
    "collect": GROUND | {"tasks", "data", "policies", "evaluation"},
    "diagnose": WORLD | {"evaluation"},
    "film": WORLD,
    "sb3": WORLD | {"wrappers", "adversary", "evaluation"},
    "runs": WORLD | {"wrappers", "collect", "adversary", "evaluation", "sb3"},
    "export": WORLD | {"sb3", "runs"},
    "compare": WORLD | {"evaluation", "sb3", "runs"},
    "sweep": GROUND | {"data", "dynamics", "runs"},
    "__main__": {"cli"},
    "cli": WORLD
    | {
        "plugins",
        "wrappers",
        "adversary",
        "evaluation",
        "sb3",
        "runs",
        "compare",
        "collect",
        "diagnose",
        "export",
        "film",
        "sweep",
    },
}
"""Part → parts it may import. Every part may import itself and the package's version."""


def package_files() -> dict[str, Path]:
    """Module name → file of everything that is installed."""
    files = {}
    for folder, package in PACKAGE_FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            files[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return files


FILES = package_files()
SOURCES = sorted(
    [*FILES.values(), *(path for folder in OTHER_FOLDERS for path in (ROOT / folder).rglob("*.py"))]
)


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(module: str) -> str:
    """The part of the package that a module belongs to, "" for the package itself."""
    return ".".join(module.split(".")[1:2])


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Modules of this package that a file imports anywhere, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in FILES else str(node.module)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.mark.parametrize("module", FILES)
def test_imports_point_one_way(module: str) -> None:
    part = part_of(module)
    assert part in MAY_IMPORT, f"enter {part!r} in MAY_IMPORT"
    allowed = MAY_IMPORT[part] | {part, ""}
    imported = {m for m in imported_modules(parse(FILES[module])) if m.split(".")[0] == "offline_envs"}
    wrong = sorted(m for m in imported if part_of(m) not in allowed)
    assert not wrong, f"{module} ({part or 'top'}) may import {sorted(allowed)}, but imports {wrong}"


def neighbours(module: str) -> set[str]:
    """Modules that a module imports, also those that only a type checker reads."""
    return {m for m in imported_modules(parse(FILES[module])) if m in FILES} - {module}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Take away, again and again, the modules that import none of those left: nothing must remain."""
    left = {module: neighbours(module) for module in FILES}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    assert sorted(left) == []


def exported(package: str) -> set[str]:
    """Names in the `__all__` of a package, read from its source."""
    for node in parse(FILES[package]).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return set()


def is_public(module: str, name: str) -> bool:
    """Whether other packages may import a name: from a package's `__all__` or a ground-floor module."""
    if module not in FILES:
        return False
    if FILES[module].name != "__init__.py":
        return module.count(".") == 1 and not name.startswith("_")
    return name in exported(module)


def crossing(path: Path, part: str | None) -> list[str]:
    """Names that a file imports across a package border although nobody exports them."""
    names = [
        (str(node.module), alias.name)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "offline_envs"
        for alias in node.names
    ]
    modules = [
        tuple(alias.name.rpartition(".")[::2])
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.count(".") > 1 and alias.name.split(".")[0] == "offline_envs"
    ]
    return [
        f"{module}.{name}"
        for module, name in (*names, *modules)
        if (part is None or part_of(module) != part) and not is_public(module, name)
    ]


@pytest.mark.parametrize("module", FILES)
def test_only_public_names_cross_packages(module: str) -> None:
    """Names that a package does not list in its `__all__` may change without regard to other packages."""
    assert crossing(FILES[module], part_of(module)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=label)
def test_examples_use_only_public_names(path: Path) -> None:
    assert crossing(path, None) == []


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    too_long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not too_long


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES.values()}), ids=label)
def test_a_listing_fits_on_a_screen(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_FOLDER_MODULES


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_no_file_has_a_meaningless_name(path: Path) -> None:
    assert not FORBIDDEN_NAMES & {path.stem, path.parent.name}


@pytest.mark.parametrize("module", [m for m, path in FILES.items() if "__all__" in path.read_text("utf-8")])
def test_every_public_name_exists(module: str) -> None:
    loaded = importlib.import_module(module)
    missing = [name for name in loaded.__all__ if not hasattr(loaded, name)]
    assert not missing
    assert len(set(loaded.__all__)) == len(loaded.__all__)


def test_importing_the_package_is_cheap() -> None:
    code = f"import sys, offline_envs; print([m for m in {SLOW_MODULES} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert result.stdout.strip() == "[]"


def test_the_command_line_starts_cheaply() -> None:
    """`--help` is how people look around; torch alone takes seconds to import."""
    code = f"import sys, offline_envs.cli; print([m for m in {SLOW_MODULES} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert result.stdout.strip() == "[]"


def test_every_package_is_in_the_wheel() -> None:
    """Setuptools takes the list in pyproject.toml; a folder missing there is missing only for users."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    on_disk = {module for module, path in FILES.items() if path.name == "__init__.py"}
    assert set(settings["packages"]) == on_disk
    for package, folder in settings["package-dir"].items():
        assert PACKAGE_FOLDERS[folder] == package


def test_editors_and_type_checkers_follow_imports_in_a_checkout() -> None:
    """Two parts of the package are outside its folder, which links to them."""
    for part in ("tasks", "wrappers"):
        link = ROOT / "offline_envs" / part
        assert link.is_symlink()
        assert link.resolve() == ROOT / part


def test_every_folder_of_sources_is_a_package() -> None:
    """Without `__init__.py` a folder is not installed, and a test folder shadows the package it tests."""
    folders = {path.parent for path in SOURCES if not path.is_relative_to(ROOT / "examples")}
    folders = {folder for folder in folders if not folder.is_relative_to(ROOT / "benchmarks")}
    assert [label(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_the_embedded_datasets_are_in_the_wheel_and_small() -> None:
    embedded = ROOT / "offline_envs" / "data" / "embedded"
    files = [path for path in embedded.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".hdf5"}  # the suffixes in package-data
    assert sum(path.stat().st_size for path in files) < 5e6

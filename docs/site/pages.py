"""Pages of the site that are not files of `docs/`: made of the project's other texts and of the code."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]

TEXTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Texts of the project and their pages."""

LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; called by MkDocs."""
    for file in [file for file in files if file.src_uri == "index.md"]:
        files.remove(file)  # the table of contents of a checkout; the site has a navigation
    pages = {page: _text(text) for text, page in TEXTS.items()}
    groups = {"Examples": dict(_examples()), "Reference": {"reference/cli.md": _cli(), **dict(_packages())}}
    own: dict[str, list[Any]] = {"Reference": [{"Public names": "api.md"}, {"Command line": "cli.md"}]}
    navigation: list[Any] = config.nav or []
    for group, made in groups.items():
        pages |= made
        navigation.append({group: own.get(group, []) + list(made)})
    navigation.append({"Project": ["changelog.md", "contributing.md", "security.md", "benchmarks.md"]})
    config.nav = navigation
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to the project's texts lead to their pages; called by MkDocs."""
    folder = (ROOT / "docs" / page.file.src_uri).parent
    return _relinked(markdown, folder) if page.file.generated_by is None else markdown


def _text(path: str) -> str:
    """A text of the project with links that work in the site."""
    return _relinked((ROOT / path).read_text(encoding="utf-8"), (ROOT / path).parent)


def _relinked(markdown: str, folder: Path) -> str:
    """Point links to files of the project at their pages, as seen from the top of the site."""

    def page(link: re.Match[str]) -> str:
        target = (folder / link["path"]).resolve()
        if not target.is_relative_to(ROOT):
            return link[0]
        path = target.relative_to(ROOT).as_posix()
        if path.startswith("examples"):
            is_page = path.endswith((".py", ".ipynb"))
            path = Path(path).with_suffix(".md").as_posix() if is_page else "examples/index.md"
        path = TEXTS.get(path, path).removeprefix("docs/")
        return f"]({path}{link['anchor'] or ''})"

    return LINK.sub(page, markdown)


def _examples() -> Iterator[tuple[str, str]]:
    """A page for each notebook and each program, after one that lists them."""
    folder = ROOT / "examples"
    notebooks = {path.relative_to(folder): _notebook(path) for path in sorted(folder.rglob("*.ipynb"))}
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
    pages = {path: path.relative_to(folder).with_suffix(".md") for path in sources}
    docs = {path: ast.get_docstring(ast.parse(source)) or "" for path, source in sources.items()}
    rows = (
        f"| [{page.with_suffix('')}]({page}) | {docs[path].splitlines()[0]} |" for path, page in pages.items()
    )
    head = "# Examples\n\nNotebooks to read and to run:\n\n"
    for path, text in notebooks.items():
        head += f"- [{text.splitlines()[0].removeprefix('# ')}]({path.with_suffix('.md')})\n"
    head += "\nPrograms in `examples/`; `--help` shows their options.\n\n| | |\n|---|---|\n"
    yield "examples/index.md", head + "\n".join(rows) + "\n"
    yield from ((f"examples/{path.with_suffix('.md')}", text) for path, text in notebooks.items())
    for path, source in sources.items():
        code = source.split('"""', 2)[2].lstrip("\n")
        block = f'```python title="{path.relative_to(ROOT)}"\n{code}```\n'
        yield f"examples/{pages[path]}", f"# {path.stem}\n\n{docs[path]}\n\n{block}"


def _notebook(path: Path) -> str:
    """The cells of a notebook as a page: its text as it is, its code in blocks."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    title, *rest = parts
    where = f"A notebook, `{path.relative_to(ROOT)}`: open it in Jupyter, or copy its cells."
    return "\n\n".join([title, where, *rest]).replace(".ipynb)", ".md)") + "\n"


def _cli() -> str:
    """Every command with its options, as `--help` has them."""
    words = [sys.executable, "-m", "typer", "offline_envs.cli", "utils", "docs", "--name", "offline-envs"]
    text = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text.replace("# `offline-envs`", "# Options of the commands", 1)


def _packages() -> Iterator[tuple[str, str]]:
    """A page for each package of public names, with what their docstrings say."""
    rows = re.findall(r"^\| `(offline_envs[\w.]*)` \| (.*) \|$", _text("docs/api.md"), re.MULTILINE)
    members = {package: _members(package, names) for package, names in rows}
    homes: dict[str, str] = {}
    for package, names in members.items():
        for path in names.values():
            if path not in homes or (path.startswith(f"{package}.") and len(package) > len(homes[path])):
                homes[path] = package
    for package, names in members.items():
        parts = (
            f"::: {path}" if homes[path] == package else f"## {name}\n\nSee [{path}][{path}]."
            for name, path in names.items()
        )
        yield f"reference/{package}.md", f"# {package}\n\n" + "\n\n".join(parts) + "\n"


def _members(package: str, names: str) -> dict[str, str]:
    """Public names of a package, with where each is defined."""
    found = (name for name in re.findall(r"`([\w.]+)`", names) if "." not in name)
    return {name: _definition(package, name) for name in found}


def _definition(package: str, name: str) -> str:
    """Where a public name is defined, as a path of modules."""
    value = getattr(importlib.import_module(package), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    modules = (module for path, module in sorted(sys.modules.items()) if path.startswith("offline_envs"))
    for module in modules:
        if getattr(module, name, None) is value and name in _assigned(module):
            return f"{module.__name__}.{name}"
    return f"{package}.{name}"


def _assigned(module: ModuleType) -> set[str]:
    """Names to which a module assigns at its top."""
    body = ast.parse(inspect.getsource(module)).body
    plain = (target for node in body if isinstance(node, ast.Assign) for target in node.targets)
    annotated = (node.target for node in body if isinstance(node, ast.AnnAssign))
    return {target.id for target in (*plain, *annotated) if isinstance(target, ast.Name)}

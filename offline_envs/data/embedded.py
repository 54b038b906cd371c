"""The datasets that come with the package, laid out like a Minari folder."""

from pathlib import Path

EMBEDDED_ROOT = Path(__file__).parent / "embedded"
"""Folder of `<namespace>/<name>/data/{metadata.json, main_data.hdf5}`."""


def ids_under(root: Path) -> list[str]:
    """Ids of the Minari datasets below a folder, sorted; empty if there is no such folder."""
    found = root.rglob("data/metadata.json") if root.is_dir() else ()
    return sorted(path.parent.parent.relative_to(root).as_posix() for path in found)


def embedded_ids() -> list[str]:
    """Ids of the datasets that come with the package, sorted; they need no download."""
    return ids_under(EMBEDDED_ROOT)

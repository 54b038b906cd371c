"""The folder of a report: one page, its pictures, and the figures behind them."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from offline_envs.diagnose.advice import advise
from offline_envs.diagnose.chapters import chapters
from offline_envs.diagnose.diagnosis import Diagnosis
from offline_envs.diagnose.page import page
from offline_envs.diagnose.table import csv_text
from offline_envs.errors import SettingsError

REPORT_FILE, ADVICE_FILE = "report.html", "advice.json"


def check_free(folder: Path) -> None:
    """Refuse to write over what is there.

    Raises:
        SettingsError: `folder` exists.
    """
    if folder.exists():
        raise SettingsError(f"{folder} exists already. Choose another folder.")


def write_report(found: Diagnosis, folder: Path) -> None:
    """Write `report.html`, `advice.json`, and a PNG and a CSV file for each chapter, all or nothing.

    Args:
        found: What was found.
        folder: Folder to make.

    Raises:
        SettingsError: `folder` exists.
    """
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        fresh = temporary / "new"
        fresh.mkdir()
        _write_files(found, fresh)
        os.rename(fresh, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_files(found: Diagnosis, folder: Path) -> None:
    advice, written, pictures = advise(found), chapters(found), {}
    for chapter in written:
        picture = folder / f"{chapter.name}.png"
        chapter.draw(picture)
        pictures[chapter.name] = picture.read_bytes()
        (folder / f"{chapter.name}.csv").write_text(csv_text(chapter.rows), encoding="utf-8")
    content = {
        "dataset": found.transitions.source,
        "settings": found.settings.to_json(),
        "advice": [vars(a) for a in advice],
        "notes": found.notes,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / ADVICE_FILE).write_text(text, encoding="utf-8")
    (folder / REPORT_FILE).write_text(page(found, advice, written, pictures), encoding="utf-8")

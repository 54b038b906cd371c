"""Folder of a report: one page, its plots, and the figures behind them."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from offline_envs.diagnose.base import Row
from offline_envs.diagnose.diagnosis import Diagnosis, advise, chapters
from offline_envs.diagnose.page import page
from offline_envs.errors import SettingsError
from offline_envs.files import new_folder

REPORT_FILE, ADVICE_FILE = "report.html", "advice.json"


def check_free(folder: Path) -> None:
    """Refuse to overwrite an existing report.

    Raises:
        SettingsError: `folder` exists.
    """
    if folder.exists():
        raise SettingsError(f"{folder} exists already. Choose another folder.")


def write_report(found: Diagnosis, folder: Path) -> None:
    """Write `report.html`, `advice.json`, and a PNG and a CSV file for each chapter, atomically.

    Args:
        found: The diagnosis.
        folder: Folder to create.

    Raises:
        SettingsError: `folder` exists.
    """
    check_free(folder)
    with new_folder(folder) as fresh:
        _write_files(found, fresh)


def csv_text(rows: Sequence[Row]) -> str:
    """Rows of equal columns as CSV, numbers to six significant digits; empty without rows."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _plain(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def _write_files(found: Diagnosis, folder: Path) -> None:
    advice, written, plots = advise(found), chapters(found), {}
    for chapter in written:
        plot = folder / f"{chapter.name}.png"
        chapter.draw(plot)
        plots[chapter.name] = plot.read_bytes()
        (folder / f"{chapter.name}.csv").write_text(csv_text(chapter.rows), encoding="utf-8")
    content = {
        "dataset": found.evidence.transitions.source,
        "settings": found.evidence.settings.to_json(),
        "advice": [vars(a) for a in advice],
        "notes": found.notes,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / ADVICE_FILE).write_text(text, encoding="utf-8")
    (folder / REPORT_FILE).write_text(page(found, advice, written, plots), encoding="utf-8")

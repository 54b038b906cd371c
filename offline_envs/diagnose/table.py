"""Figures as CSV text."""

import csv
import io
from collections.abc import Mapping, Sequence

Row = Mapping[str, object]
"""Name of the column → value."""


def csv_text(rows: Sequence[Row]) -> str:
    """Rows of equal columns as CSV, numbers to six significant digits; nothing for no rows."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _plain(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value

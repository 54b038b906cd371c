"""`Preset`: settings of a run and their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Pair = tuple[int, float]
"""A horizon, and a penalty coefficient or weight of the adversary."""

RAW = {"standardize_targets": False}
"""Setting of the fit in which all releases, and our own runs so far, differ from the default."""


@dataclass(frozen=True)
class Preset:
    """Settings of a run and their source.

    Attributes:
        name: `<algorithm>/<dataset>` or `<algorithm>/<task>`; `<algorithm>-kit/...` for OfflineRL-Kit's,
            `<algorithm>-trpo/...` for our own, `morec-mobile/...` for MOREC with MOBILE's agent.
        source: Table or file that gives them, and the version of the dataset for which they were chosen.
        settings: Settings of a run by name; those left out keep the algorithm's defaults.
    """

    name: str
    source: str
    settings: Mapping[str, Any]

"""`Preset`: settings of a run and their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Pair = tuple[int, float]
"""A horizon, and a penalty coefficient or weight of the adversary."""

RAW = {"standardize_targets": False}
"""Setting of the fit in which all releases, and our own runs so far, differ from the default."""

RATES: Mapping[str, Any] = {
    "agent": "fastsac",
    "agent_options": {
        "actor_learning_rate": 1e-4,
        "critic_learning_rate": 3e-4,
        "temperature_learning_rate": 1e-4,
    },
}
"""SAC with the learning rates of OfflineRL-Kit, and of the releases of RAMBO and MOREC."""

RATES_AND_COSINE: Mapping[str, Any] = {
    **RATES,
    "agent_options": {**RATES["agent_options"], "actor_schedule": "cosine"},
}
"""The same, with the cosine of the actor's rate that OfflineRL-Kit and MOREC have, and RAMBO has not."""


LOG_STD = "log σ of the policy lies between −20 and 2, there between −5 and 2"
"""What the codes of OfflineRL-Kit, MOBILE and RAVL have of their own in a policy, and cannot be set here."""


@dataclass(frozen=True)
class Preset:
    """Settings of a run and their source.

    Attributes:
        name: `<algorithm>/<dataset>` or `<algorithm>/<task>`; `<algorithm>-kit/...` for OfflineRL-Kit's,
            `<algorithm>-own/...` and `<algorithm>-trpo/...` for our own, `morec-mobile/...` for MOREC with
            MOBILE's agent.
        source: Table or file that gives them, and the version of the dataset for which they were chosen.
        settings: Settings of a run by name; those left out keep the algorithm's defaults.
        differs: What of the source these settings do not follow, as far as it is known. In all, 500 episodes
            are imagined at a time, where codes imagine 2000 to 50 000, with as many transitions in all.
    """

    name: str
    source: str
    settings: Mapping[str, Any]
    differs: str = ""

    def start_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings from which a run starts; if it is given a fitted model, without those of the fit."""
        fit = ("ensemble", "fit") if given.get("model") is not None else ()
        return {name: value for name, value in self.settings.items() if name not in fit}

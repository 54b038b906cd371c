"""MOReL's preset."""

from collections.abc import Iterator, Mapping

from offline_envs.runs.presets.preset import RAW, Preset

MOREL_RELEASE: Mapping[str, float] = {"hopper-medium": 3.0}
"""The release's `pessimism_coef`; it gives no other of the paper's datasets."""


DIFFERS = (
    "seven probabilistic members with sampled steps, there four deterministic ones; the reward is learned; "
    "members are compared in deviations of the data"
)


def morel() -> Iterator[Preset]:
    """MOReL in the dataset of the release."""
    source = "Kidambi et al. 2020, configuration of the release; dataset v0"
    for dataset, coefficient in MOREL_RELEASE.items():
        threshold = {"threshold": {"max_over": coefficient}}
        settings = {"algorithm": "morel", "env_settings": threshold, "fit": RAW}
        yield Preset(f"morel/{dataset}", source, settings, DIFFERS)

"""Presets of MOREC with MOBILE's agent."""

from collections.abc import Iterator, Mapping

from offline_envs.runs.algorithms.own_agents.mobile import RELEASE
from offline_envs.runs.presets.mobile import SPECIAL
from offline_envs.runs.presets.morec import DIFFERS
from offline_envs.runs.presets.preset import LOG_STD, RAW, Preset

MOREC_MOBILE_RELEASE: Mapping[str, float] = {
    "halfcheetah-random": 0.25,
    "hopper-random": 7.5,
    "walker2d-random": 1.0,
    "halfcheetah-medium": 0.25,
    "hopper-medium": 1.5,
    "walker2d-medium": 0.75,
    "halfcheetah-medium-replay": 0.25,
    "hopper-medium-replay": 0.5,
    "walker2d-medium-replay": 0.1,
    "halfcheetah-medium-expert": 1.0,
    "hopper-medium-expert": 1.5,
    "walker2d-medium-expert": 0.25,
}
"""β; candidates are always chosen by the softmax."""

WITHOUT_ENTROPY = ("hopper-random",)
"""Datasets on which the release leaves the entropy out of the targets."""


def morec_mobile() -> Iterator[Preset]:
    """MOREC-MOBILE in D4RL's datasets; what the scripts do not say of the agent is as in MOBILE's release."""
    source = "Luo et al. 2024, launch scripts of the release for MOREC-MOBILE; datasets v2"
    for dataset, coef in MOREC_MOBILE_RELEASE.items():
        options = {
            **RELEASE,
            "inconsistency_coef": coef,
            "inconsistency_of": "values",
            "clamp_target": True,
            "entropy_backup": dataset not in WITHOUT_ENTROPY,
        }
        settings = {
            "algorithm": "morec",
            "agent": "mobile",
            "horizon": 100,
            "agent_options": options,
            "env_settings": {"selection": "softmax", "discriminator": {"n_snapshots": 10}},
            "fit": RAW,
            "gradient_steps": 3_000_000,
            **SPECIAL.get(dataset, {}),
        }
        yield Preset(f"morec-mobile/{dataset}", source, settings, f"{DIFFERS}; {LOG_STD}")

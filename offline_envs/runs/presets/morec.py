"""MOREC's presets, for D4RL's locomotion datasets."""

from collections.abc import Iterator, Mapping

from offline_envs.runs.presets.preset import RATES_AND_COSINE, RAW, Preset

MOREC_RELEASE: Mapping[str, tuple[float, str]] = {
    "halfcheetah-random": (0.5, "softmax"),
    "hopper-random": (10.0, "argmax"),
    "walker2d-random": (1.0, "softmax"),
    "halfcheetah-medium": (0.5, "argmax"),
    "hopper-medium": (15.0, "softmax"),
    "walker2d-medium": (0.5, "softmax"),
    "halfcheetah-medium-replay": (0.5, "softmax"),
    "hopper-medium-replay": (15.0, "softmax"),
    "walker2d-medium-replay": (0.25, "argmax"),
    "halfcheetah-medium-expert": (0.5, "argmax"),
    "hopper-medium-expert": (15.0, "softmax"),
    "walker2d-medium-expert": (1.0, "softmax"),
}
"""λ and the choice among candidates."""


DIFFERS = (
    "discriminators are trained as in offline_envs.consistency, their own training is not published; what is "
    "cut is bootstrapped, as in the paper, in the release it counts as ended; samples are not clipped to ±25"
)


def morec() -> Iterator[Preset]:
    """MOREC-MOPO in D4RL's datasets, with the release's number of discriminators."""
    source = "Luo et al. 2024, launch scripts of the release for MOREC-MOPO; datasets v2"
    for dataset, (coef, selection) in MOREC_RELEASE.items():
        settings = {
            "algorithm": "morec",
            "horizon": 100,
            "penalty_coef": coef,
            "env_settings": {"selection": selection, "discriminator": {"n_snapshots": 40}},
            "fit": RAW,
            "gradient_steps": 3_000_000,
            **RATES_AND_COSINE,
        }
        yield Preset(f"morec/{dataset}", source, settings, DIFFERS)

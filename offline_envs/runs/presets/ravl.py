"""RAVL's presets."""

from collections.abc import Iterator

from offline_envs.runs.presets.mopo import MOPO_PAPER
from offline_envs.runs.presets.preset import LOG_STD, RAW, Preset


def ravl() -> Iterator[Preset]:
    """RAVL in D4RL's datasets, with the same settings for each."""
    source = "Sims et al. 2024, defaults of train_ravl_agent.py in the release; datasets v2"
    for dataset in MOPO_PAPER:
        settings = {
            "algorithm": "ravl",
            "horizon": 5,
            "real_ratio": 0.05,
            "agent_options": {"diversity": 1.0, "learning_rate": 3e-4},
            "fit": RAW,
            "gradient_steps": 3_000_000,
        }
        yield Preset(f"ravl/{dataset}", source, settings, f"{LOG_STD}; weights start as PyTorch draws them")

"""Collect a dataset: train or load a Stable-Baselines3 policy and write the steps that it takes.

Only the settings are imported here, because the command line reads them before it knows whether the slow
imports of `offline_envs.collect.collection` are needed.
"""

from offline_envs.collect.settings import CollectSettings, Kind

__all__ = ["CollectSettings", "Kind"]

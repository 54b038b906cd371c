"""Collect a dataset: train or load a Stable-Baselines3 policy and write what it lives through.

Only the settings are imported here, because the command line reads them before it knows whether the slow
imports of `offline_envs.collect.collection` are needed.
"""

from offline_envs.collect.settings import Agent, CollectSettings, Kind

__all__ = ["Agent", "CollectSettings", "Kind"]

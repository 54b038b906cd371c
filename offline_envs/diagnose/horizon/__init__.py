"""Horizon up to which a model can be trusted: its open-loop error over the steps."""

from offline_envs.diagnose.horizon.report import HorizonReport

__all__ = ["HorizonReport"]

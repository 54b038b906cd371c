"""How many steps ahead a model can be trusted: its open-loop error over the horizon."""

from offline_envs.diagnose.horizon.report import HorizonReport

__all__ = ["HorizonReport"]

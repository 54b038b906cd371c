"""Comparison of runs' policies without the real environment, and the choice of one."""

from offline_envs.compare.choice import Choice, regret_at, regret_of_a_draw, torel_regret
from offline_envs.compare.comparison import Comparison, compare_runs
from offline_envs.compare.estimators import ESTIMATORS, Estimator
from offline_envs.compare.evidence import Evidence
from offline_envs.compare.report import write_comparison
from offline_envs.compare.run_policies import RunPolicy, find_policies
from offline_envs.compare.settings import CompareSettings

__all__ = [
    "ESTIMATORS",
    "Choice",
    "CompareSettings",
    "Comparison",
    "Estimator",
    "Evidence",
    "RunPolicy",
    "compare_runs",
    "find_policies",
    "regret_at",
    "regret_of_a_draw",
    "torel_regret",
    "write_comparison",
]

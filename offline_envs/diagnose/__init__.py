"""Diagnosis: what a model of a dataset is worth, before a policy is trusted to it."""

from offline_envs.diagnose.advice import Advice, advise
from offline_envs.diagnose.diagnosis import Diagnosis, diagnose
from offline_envs.diagnose.report import check_free, write_report
from offline_envs.diagnose.settings import DiagnoseSettings

__all__ = [
    "Advice",
    "DiagnoseSettings",
    "Diagnosis",
    "advise",
    "check_free",
    "diagnose",
    "write_report",
]

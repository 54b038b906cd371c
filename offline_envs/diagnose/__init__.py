"""Diagnosis: how far a model of a dataset can be trusted, before a policy relies on it."""

from offline_envs.diagnose.base import Advice
from offline_envs.diagnose.diagnoser import check_data, diagnose
from offline_envs.diagnose.diagnosis import Diagnosis, advise
from offline_envs.diagnose.report import check_free, write_report
from offline_envs.diagnose.settings import DiagnoseSettings

__all__ = [
    "Advice",
    "DiagnoseSettings",
    "Diagnosis",
    "advise",
    "check_data",
    "check_free",
    "diagnose",
    "write_report",
]

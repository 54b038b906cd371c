"""Sweeps: the same run under every combination of some settings, on one machine or many."""

from offline_envs.sweep.config import Resources, Stop, SweepConfig
from offline_envs.sweep.grid import Cell, cells
from offline_envs.sweep.sweep import run_sweep
from offline_envs.sweep.table import CellResult, cell_results, write_results

__all__ = [
    "Cell",
    "CellResult",
    "Resources",
    "Stop",
    "SweepConfig",
    "cell_results",
    "cells",
    "run_sweep",
    "write_results",
]

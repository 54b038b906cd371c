"""Real steps from states of the data: in the recording, and in the simulator set to these states."""

from offline_envs.diagnose.ground_truth.recording import GroundTruth, Replay, Simulation
from offline_envs.diagnose.ground_truth.windows import Windows, recorded_windows, simulated_windows

__all__ = [
    "GroundTruth",
    "Replay",
    "Simulation",
    "Windows",
    "recorded_windows",
    "simulated_windows",
]

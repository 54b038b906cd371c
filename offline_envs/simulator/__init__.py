"""The real environment of a dataset, set to observations: what happens from there, and what it looks like."""

from offline_envs.simulator.layouts import LAYOUTS, ObsLayout, Restore
from offline_envs.simulator.pictures import RGB_ARRAY, Picture, Pictures, has_pictures
from offline_envs.simulator.simulator import Simulator

__all__ = ["LAYOUTS", "RGB_ARRAY", "ObsLayout", "Picture", "Pictures", "Restore", "Simulator", "has_pictures"]

"""Films: what a model imagines beside what really happens, from the same state on."""

from offline_envs.film.frames import Frames
from offline_envs.film.shots import Actor, Replay, Shot, check_simulated, imagined, recorded, simulated
from offline_envs.film.writing import check_film, write_film

__all__ = [
    "Actor",
    "Frames",
    "Replay",
    "Shot",
    "check_film",
    "check_simulated",
    "imagined",
    "recorded",
    "simulated",
    "write_film",
]

"""`Pictures`: observations as the real environment of their dataset draws them."""

import importlib.util
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from offline_envs.data import Transitions
from offline_envs.errors import DatasetError, SettingsError, SettingsTypeError
from offline_envs.simulator.layouts import LAYOUTS, ObsLayout
from offline_envs.simulator.simulator import layout_of

Picture = NDArray[np.uint8]
"""A picture, `(height, width, 3)`."""

RGB_ARRAY = "rgb_array"
"""The render mode of pictures as arrays."""

CHECKED_ROWS = 16
"""Rows of the dataset, spread over it, that the simulator has to show as recorded."""

TOLERANCE = 1e-2
"""Largest difference of an observation that is read back, relative where it is above 1: not to be seen."""

USUAL_FPS = 30
"""Pictures a second of an environment that does not say."""

DRAWN_BY_PYGAME = "gymnasium.envs.classic_control."


class Pictures:
    """Draws observations: the real environment is set to the state that they determine, and draws that.

    Root positions that observations do not show, as the distance that a robot has run, are 0. An imagined
    observation that no state has, such as a sine and a cosine that belong to no angle, is drawn as the state
    that `LAYOUTS` reads from it. The environment is made when the first picture is drawn.

    Attributes:
        fps: Pictures a second, one a step, that show the real speed.
    """

    def __init__(self, transitions: Transitions, layout: ObsLayout, fps: float, **options: Any) -> None:
        self.fps = fps
        self._transitions = transitions
        self._layout = layout
        self._options = options
        self._env: Any = None

    @classmethod
    def of(cls, transitions: Transitions, **options: Any) -> Self:
        """Check that observations of a dataset can be drawn.

        Rows of the dataset are set in the real environment, which has to observe what was recorded.

        Args:
            transitions: The dataset.
            **options: Keywords of its real environment, such as `width`, `height` and `camera_name` of
                MuJoCo's.

        Raises:
            SettingsTypeError: They cannot: the message says why.
        """
        try:
            layout, _ = layout_of(transitions)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of old versions and of rewards, which no picture shows
                env = transitions.make_env(**options).unwrapped
        except (SettingsError, DatasetError) as error:
            raise _refusal(transitions, str(error)) from error
        try:
            _check(env, layout, transitions)
            return cls(transitions, layout, float(env.metadata.get("render_fps", USUAL_FPS)), **options)
        finally:
            env.close()

    def draw(self, obs: NDArray[Any]) -> Picture:
        """Draw an observation.

        Args:
            obs: The observation, `(d,)`, with its history if it has one: the newest is drawn.

        Returns:
            uint8 `(height, width, 3)`.

        Raises:
            SettingsError: The observation is not finite, or this machine cannot draw.
        """
        newest = np.asarray(obs, dtype=np.float64)[: self._transitions.newest.obs_dim]
        if not np.isfinite(newest).all():
            raise SettingsError(f"Only finite observations can be drawn, got {newest}.")
        if self._env is None:
            self._env = self._made()
        self._layout.restore(self._env, newest)
        try:
            return np.asarray(self._env.render(), dtype=np.uint8)
        except Exception as error:  # OpenGL libraries raise anything
            raise SettingsError(
                f"{self._transitions.env_id} cannot be drawn on this machine: {type(error).__name__}: "
                f"{' '.join(str(error).split())}. Without a display MuJoCo draws with MUJOCO_GL=egl or "
                "MUJOCO_GL=osmesa, which has to be set before the first picture."
            ) from error

    def close(self) -> None:
        """Close the environment; the next picture makes another."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _made(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in `of`
            env = self._transitions.make_env(render_mode=RGB_ARRAY, **self._options).unwrapped
        env.reset(seed=0)
        return env


def has_pictures(transitions: Transitions) -> bool:
    """Whether observations of a dataset's environment may be drawn; `Pictures.of` checks whether they can."""
    return transitions.env_spec is not None and transitions.env_spec.id in LAYOUTS


def _check(env: Any, layout: ObsLayout, transitions: Transitions) -> None:
    if RGB_ARRAY not in env.metadata.get("render_modes", ()):
        raise _refusal(transitions, f"{transitions.env_id} has no render mode {RGB_ARRAY!r}")
    if type(env).__module__.startswith(DRAWN_BY_PYGAME) and importlib.util.find_spec("pygame") is None:
        raise _refusal(
            transitions, f"{transitions.env_id} draws with pygame: pip install 'gymnasium[classic-control]'"
        )
    recorded = transitions.newest.obs.numpy()
    if recorded.shape[1] < layout.obs_dim:
        needs = f"{transitions.env_id} needs {layout.obs_dim} observation dimensions"
        raise _refusal(transitions, f"{needs} or more, the data have {recorded.shape[1]}")
    env.reset(seed=0)
    for row in np.linspace(0, len(recorded) - 1, min(CHECKED_ROWS, len(recorded))).astype(int):
        obs = recorded[row].astype(np.float64)
        observed = np.asarray(layout.restore(env, obs))
        if observed.shape != obs.shape:
            reason = f"has {observed.size} dimensions, not {obs.size}"
        elif layout.difference(observed, obs) <= TOLERANCE:
            continue
        else:
            reason = f"differs by {layout.difference(observed, obs):.3g}"
        wrappers = ", ".join(w.name for w in getattr(transitions.env_spec, "additional_wrappers", ()))
        raise _refusal(
            transitions,
            f"{transitions.env_id}, set to observation {row}, gives another one, which {reason}"
            + (f". The data were recorded through {wrappers}" if wrappers else ""),
        )


def _refusal(transitions: Transitions, reason: str) -> SettingsTypeError:
    """The error for data without pictures; a TypeError, after which Stable-Baselines3 does without."""
    return SettingsTypeError(
        f"The observations of {transitions.source} cannot be drawn, so render_mode must be None: "
        f"{reason.strip().removesuffix('.')}. Enter another environment in offline_envs.simulator.LAYOUTS."
    )

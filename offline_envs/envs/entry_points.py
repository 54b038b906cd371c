"""Entry points that `gym.make` and `gym.make_vec` call for every id of a learned environment."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypedDict

from gymnasium.vector import AutoresetMode, VectorEnv

from offline_envs.data import DatasetSource
from offline_envs.envs.assembly import Assembly, assemble, transitions_of
from offline_envs.envs.autoreset import find_autoreset_mode, with_autoreset
from offline_envs.envs.learned_env import LearnedEnv
from offline_envs.envs.learned_vector_env import LearnedVectorEnv, check_vector_settings
from offline_envs.envs.options import MODEL_OPTIONS, ModelOptions
from offline_envs.errors import SettingsError, SettingsTypeError
from offline_envs.methods import Method
from offline_envs.simulator import RGB_ARRAY, Pictures

IGNORED = ("disable_env_checker", "order_enforce")
"""Settings of `gym.make` that `gym.make_vec` passes to a vector environment, where they have no meaning."""

RENDER_MODE = "render_mode"
"""Setting of every Gymnasium environment."""

EPISODE_STEPS = "max_episode_steps"
"""Setting of `gym.make` and `gym.make_vec`: the horizon."""

NO_DATASET = (
    "A learned environment needs the dataset that it is learned from. Give dataset=: a Minari id, a path, "
    'arrays or Transitions, e.g. dataset="offline-envs/inverteddoublependulum-replay-v0", which is in this '
    "package. Where only an id can be given, register one: "
    'offline_envs.register("MyModel-v0", "PenalizedModel-v0", dataset=...).'
)
"""Why an environment of this package cannot be made by its id alone."""


def learned_env(dataset: DatasetSource | None = None, *, method: str | Method, **options: Any) -> LearnedEnv:
    """Make one learned environment.

    Args:
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        method: Path of the method's class, `"module:Class"`, as registered with the id; or a method.
        **options: Settings of the method and of `ModelOptions`, by name.

    Raises:
        SettingsTypeError: An unknown name, or no dataset.
        SettingsError: A value that is not valid, or a setting that only `gym.make_vec` takes.
    """
    for name in VECTOR_OPTIONS:
        if name in options:
            raise SettingsError(
                f"{name}= is a setting of gym.make_vec(...), all rows at once: not of gym.make(...), nor "
                "of gym.make_vec(..., vectorization_mode='sync') or 'async', which stack single environments."
            )
    return LearnedEnv(*_made(dataset, method, options, (EPISODE_STEPS,)))


# Here `gym.make` looks up which render modes the environment has without a wrapper.
learned_env.metadata = LearnedEnv.metadata  # type: ignore[attr-defined]


def learned_vector_env(
    num_envs: int,
    dataset: DatasetSource | None = None,
    *,
    method: str | Method,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    max_episode_steps: int | None = None,
    output: str = "numpy",
    step_infos: bool = False,
    capture: bool = True,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """Make a learned environment of many episodes.

    Args:
        num_envs: Number of episodes.
        dataset: A Minari id, a file, arrays, `Transitions`, or a list of them.
        method: See `learned_env`.
        autoreset_mode: `"NextStep"`, as Gymnasium's own vector environments, `"SameStep"` or `"Disabled"`.
        max_episode_steps: See `LearnedVectorEnv`, as are the other three.
        output: `"numpy"` or `"torch"`.
        step_infos: Whether `step` reports infos.
        capture: Whether a CUDA device replays steps as graphs.
        **options: See `learned_env`.

    Raises:
        SettingsTypeError: An unknown name, or no dataset.
        SettingsError: A value that is not valid.
    """
    mode = find_autoreset_mode(autoreset_mode)
    own: _VectorSettings = {
        "max_episode_steps": max_episode_steps,
        "output": output,
        "step_infos": step_infos,
        "capture": capture,
    }
    check_vector_settings(num_envs, **own)  # before a model is fitted
    assembly, pictures = _made(dataset, method, options, (EPISODE_STEPS, *VECTOR_OPTIONS))
    return with_autoreset(LearnedVectorEnv(num_envs, assembly, pictures=pictures, **own), mode)


class _VectorSettings(TypedDict):
    """Settings of a `LearnedVectorEnv` beside its number of episodes."""

    max_episode_steps: int | None
    output: str
    step_infos: bool
    capture: bool


VECTOR_OPTIONS = tuple(
    name
    for name in inspect.signature(learned_vector_env).parameters
    if name not in ("dataset", "method", EPISODE_STEPS, "options")
)
"""Settings that `gym.make_vec` takes and `gym.make` does not."""


def method_class(path: str) -> type[Method]:
    """Import the class of a method, given as `"module:Class"`."""
    module, _, name = path.partition(":")
    found: type[Method] = getattr(importlib.import_module(module), name)
    return found


def _made(
    dataset: DatasetSource | None, method: str | Method, options: Mapping[str, Any], beside: tuple[str, ...]
) -> tuple[Assembly, Pictures | None]:
    """What an environment is made of; `beside` are the settings that its caller takes itself."""
    if dataset is None:
        raise SettingsTypeError(NO_DATASET)
    kind = method_class(method) if isinstance(method, str) else type(method)
    own = [field.name for field in fields(kind)] if isinstance(method, str) else []
    known = {name: value for name, value in options.items() if name not in (*IGNORED, RENDER_MODE)}
    for name in known:
        if name not in (*own, *MODEL_OPTIONS):
            raise _unexpected_keyword(name, (*own, *MODEL_OPTIONS, *beside))
    chosen = kind(**{n: v for n, v in known.items() if n in own}) if isinstance(method, str) else method
    others = {n: v for n, v in known.items() if n in MODEL_OPTIONS}
    model_options = ModelOptions(**{**kind.model_defaults, **others})
    pictures = _pictures(dataset, model_options, options.get(RENDER_MODE))  # before a model is fitted
    return assemble(dataset, chosen, model_options), pictures


def _pictures(dataset: DatasetSource, options: ModelOptions, mode: object) -> Pictures | None:
    if mode is None:
        return None
    if mode != RGB_ARRAY:
        raise SettingsTypeError(f"render_mode must be {RGB_ARRAY!r} or None, got {mode!r}.")
    return Pictures.of(transitions_of(dataset, options))


def _unexpected_keyword(name: str, valid: tuple[str, ...]) -> SettingsTypeError:
    """The error for an unknown setting, in Python's own words first: other libraries look for them."""
    return SettingsTypeError(
        f"the environment got an unexpected keyword argument {name!r}. Valid: {', '.join(sorted(valid))}."
    )

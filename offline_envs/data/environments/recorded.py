"""What is believed of an environment that only a dataset's metadata name: its id and plain keywords.

Metadata are data. Whoever wrote them must not choose the code that runs here, so an entry point is always the
registry's own, and a wrapper is the registry's or one of Gymnasium's that do nothing but arithmetic.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from offline_envs.errors import DatasetError
from offline_envs.registration import is_learned_id

ARITHMETIC_WRAPPERS = frozenset(
    {
        "ClipAction",
        "ClipReward",
        "DelayObservation",
        "DtypeObservation",
        "FilterObservation",
        "FlattenObservation",
        "FrameStackObservation",
        "MaxAndSkipObservation",
        "NormalizeObservation",
        "NormalizeReward",
        "RecordEpisodeStatistics",
        "RepeatAction",
        "RescaleAction",
        "RescaleObservation",
        "ReshapeObservation",
        "StickyAction",
        "TimeAwareObservation",
    }
)
"""Wrappers of `gymnasium.wrappers` that only change numbers: no files, no windows, no functions."""

OWN_WRAPPERS = "gymnasium.wrappers"

NAMES_CODE = re.compile(r"(?!(?:cpu|cuda|mps|xpu):\d+$|https?:|[A-Za-z]:[\\/])[^\s:/\\]+:[^:]*")
"""`module:name`, which constructors resolve by importing the module; no device, address or drive."""


def believed(spec: EnvSpec, source: str) -> EnvSpec:
    """Return the environment that recorded metadata name, made of code of this machine's registry only.

    Args:
        spec: What the metadata say.
        source: Where they come from, for the message.

    Returns:
        The registry's environment of this id, with the recorded keywords, time limit and wrappers. Who makes
        it chooses whether it is drawn: a window cannot be opened everywhere.

    Raises:
        DatasetError: The metadata ask for other code; the message says which, and what to do.
    """
    reasons = [*doubts(spec)]
    if reasons:
        raise DatasetError(
            f"{source} is not trusted to choose code: {'; '.join(reasons)}. Name the environment yourself by "
            "env_id= (--env-id), or pass trust_dataset=True (--trust-dataset) if you trust the data's author."
        )
    registered = gym.registry[spec.id]
    return replace(
        deepcopy(spec),
        entry_point=registered.entry_point,
        vector_entry_point=registered.vector_entry_point,
        kwargs={name: deepcopy(value) for name, value in spec.kwargs.items() if name != "render_mode"},
        additional_wrappers=tuple(_own(wrapper) for wrapper in spec.additional_wrappers),
    )


def believed_or_inert(spec: EnvSpec, source: str) -> EnvSpec:
    """Return what `believed` returns, or else a specification that nothing can be made from.

    The id and the keywords of the latter still tell which rules the data follow.
    """
    try:
        return believed(spec, source)
    except DatasetError:
        return replace(
            deepcopy(spec),
            entry_point=None,
            vector_entry_point=None,
            kwargs=deepcopy(spec.kwargs) if isinstance(spec.kwargs, dict) else {},
            max_episode_steps=spec.max_episode_steps if _is_limit(spec.max_episode_steps) else None,
        )


def doubts(spec: EnvSpec) -> Iterator[str]:
    """Describe everything that making the environment as recorded would run, besides this machine's own."""
    module = spec.id.rpartition(":")[0]
    registered = gym.registry.get(spec.id)
    if module:
        yield f"its environment {spec.id!r} would import the module {module!r}"
    elif registered is None:
        yield (
            f"its environment {spec.id!r}, made by {spec.entry_point!r}, is not registered here "
            "(--import the package that registers it)"
        )
    elif spec.entry_point not in (None, registered.entry_point):
        yield (
            f"it would make {spec.id} by {spec.entry_point!r}, which is registered here as "
            f"{registered.entry_point!r}"
        )
    elif is_learned_id(spec.id):
        yield f"its environment {spec.id!r} is a learned one, which would fit and write a model as they say"
    if not _is_limit(spec.max_episode_steps):
        yield f"its max_episode_steps is {spec.max_episode_steps!r}, no positive integer"
    known_keywords = {} if registered is None else registered.kwargs
    known_wrappers = () if registered is None else registered.additional_wrappers
    yield from _code_in("keyword", spec.kwargs, known_keywords)
    for wrapper in spec.additional_wrappers:
        if wrapper not in known_wrappers:
            yield from _doubts_of_wrapper(wrapper)


def _doubts_of_wrapper(wrapper: WrapperSpec) -> Iterator[str]:
    if not _is_arithmetic(wrapper):
        yield f"it would wrap the environment in {wrapper.name!r}, made by {wrapper.entry_point!r}"
    if wrapper.kwargs is not None:
        yield from _code_in(f"keyword of {wrapper.name!r}", wrapper.kwargs, {})


def _code_in(kind: str, keywords: Any, known: dict[str, Any]) -> Iterator[str]:
    if not isinstance(keywords, dict):
        yield f"its {kind}s are {keywords!r}, no names and values"
        return
    for name, value in keywords.items():
        if value != known.get(name):
            yield from (f"its {kind}, {name!r}, names the code {text!r}" for text in _code(value))


def _is_limit(steps: Any) -> bool:
    return steps is None or (isinstance(steps, int) and not isinstance(steps, bool) and steps > 0)


def _code(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value that name code."""
    if isinstance(value, str):
        yield from [value] if NAMES_CODE.fullmatch(value) else []
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _code(pair)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _code(part)


def _is_arithmetic(wrapper: WrapperSpec) -> bool:
    module, _, name = str(wrapper.entry_point).rpartition(":")
    return (
        name in ARITHMETIC_WRAPPERS and name == wrapper.name and f"{module}.".startswith(f"{OWN_WRAPPERS}.")
    )


def _own(wrapper: WrapperSpec) -> WrapperSpec:
    """Return one of Gymnasium's wrappers where this version has it; releases move them between modules."""
    if not _is_arithmetic(wrapper):
        return wrapper  # the registry's
    return replace(wrapper, entry_point=f"{OWN_WRAPPERS}:{wrapper.name}")

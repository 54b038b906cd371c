"""`check_vector_env`: checks the rules of vector environments, which Gymnasium's own checker does not."""

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from offline_envs.envs.checker.recorded_calls import (
    FLAGS,
    Moment,
    equal,
    leaves,
    mask_like,
    masked_reset,
    play,
    row_of,
    to_numpy,
)
from offline_envs.errors import OfflineEnvsError
from offline_envs.mdp import FINAL_OBS, FINAL_OBS_MASK, RESET_MASK


class VectorEnvError(OfflineEnvsError, AssertionError):
    """A vector environment that breaks a rule."""


def check_vector_env(
    env: VectorEnv[Any, Any, Any], *, n_steps: int = 100, seed: int = 0, stochastic: bool = True
) -> None:
    """Raise if a vector environment breaks a rule that learning algorithms rely on.

    It works for any environment with NumPy or torch outputs. The rules: attributes and spaces agree; every
    output has its shape, type and device, and observations lie in their space; a seed fixes all numbers;
    rows restart as the autoreset mode says; nothing returned is written again or read back; arguments are
    not modified.

    Args:
        env: The environment; it is reset and stepped, and left open.
        n_steps: Steps of each of up to five rollouts. Episodes have to end within them, or the rules of
            autoreset are not checked.
        seed: Seed of actions and resets.
        stochastic: Whether another seed must give other numbers.

    Warns:
        UserWarning: No episode ended, or `reset` takes `reset_mask` out of the caller's options, as
            Gymnasium's own environments do.

    Raises:
        VectorEnvError: A rule is broken; the message names it.
    """
    _check_attributes(env)
    env.action_space.seed(seed)
    actions, other_actions = ([env.action_space.sample() for _ in range(n_steps)] for _ in range(2))
    moments = []
    for moment in play(env, actions, seed=seed):
        _check_returned(env, moment)
        moments.append(moment)
    _require(_unchanged(moments), "what was returned is never written again", "an earlier output has changed")
    _check_autoreset(env, moments)
    _check_seeds(env, moments, actions, seed=seed, stochastic=stochastic)
    _check_independence(env, moments, actions, other_actions, seed=seed)
    _check_options(env, moments, seed=seed)


def _require(kept: bool, rule: str, found: str) -> None:
    if not kept:
        raise VectorEnvError(f"Rule: {rule}. Found: {found}.")


def _check_attributes(env: Any) -> None:
    if not isinstance(env, VectorEnv):
        raise VectorEnvError(f"Rule: a vector environment is a gymnasium.vector.VectorEnv. Found: {env!r}.")
    n = env.num_envs
    _require(isinstance(n, int) and n > 0, "num_envs is a positive int", repr(n))
    for kind in ("observation", "action"):
        space: Any = getattr(env, f"{kind}_space", None)
        single: Any = getattr(env, f"single_{kind}_space", None)
        _require(isinstance(single, Space), f"single_{kind}_space is a space", repr(single))
        rule = f"{kind}_space is batch_space(single_{kind}_space, num_envs)"
        _require(space == batch_space(single, n), rule, f"{space} for {n} times {single}")
    mode = env.metadata.get("autoreset_mode")
    rule = 'metadata["autoreset_mode"] is a gymnasium.vector.AutoresetMode'
    _require(isinstance(mode, AutoresetMode), rule, repr(mode))
    attribute = getattr(env, "autoreset_mode", mode)
    _require(attribute == mode, "the attribute autoreset_mode agrees with the metadata", repr(attribute))


def _check_returned(env: VectorEnv[Any, Any, Any], moment: Moment) -> None:
    call, n = moment.call, env.num_envs
    _require(
        isinstance(moment.values["infos"], dict), f"infos of {call} are a dict", repr(moment.values["infos"])
    )
    _check_obs(env, moment)
    if call == "step":
        for name in ("rewards", *FLAGS):
            value, array = moment.values[name], np.asarray(moment.copies[name])
            _require(array.shape == (n,), f"{name} have shape ({n},)", f"shape {array.shape}")
            wanted = "floating" if name == "rewards" else "bool"
            kept = np.issubdtype(array.dtype, np.floating if name == "rewards" else np.bool_)
            _require(bool(kept), f"{name} are {wanted}", str(array.dtype))
            _check_kind(moment, name, value)
        _require(bool(np.isfinite(moment.copies["rewards"]).all()), "rewards are finite", "NaN or infinity")


def _check_obs(env: VectorEnv[Any, Any, Any], moment: Moment) -> None:
    obs, space = moment.copies["obs"], env.observation_space
    if isinstance(space, Box):
        array = np.asarray(obs)
        _require(array.shape == space.shape, f"obs have shape {space.shape}", f"shape {array.shape}")
        _require(array.dtype == space.dtype, f"obs are {space.dtype}, as their space is", str(array.dtype))
    kept = space.contains(obs)  # on the copy: `contains` cannot take a tensor
    _require(kept, f"obs of {moment.call} lie in the observation space", f"{obs} outside {space}")


def _check_kind(moment: Moment, name: str, *values: Any) -> None:
    """All outputs are arrays, or all are tensors on one device."""
    kinds = {_kind(value) for value in (*leaves(moment.values["obs"]), *values)}
    rule = f"{name} are of the kind of obs, arrays or tensors on the same device"
    _require(len(kinds) <= 1, rule, " and ".join(sorted(kinds)))


def _kind(value: Any) -> str:
    return f"tensor on {value.device}" if isinstance(value, torch.Tensor) else type(value).__name__


def _unchanged(moments: Sequence[Moment]) -> bool:
    return all(equal(leaves(to_numpy(m.values)), leaves(m.copies)) for m in moments)


def _check_autoreset(env: VectorEnv[Any, Any, Any], moments: list[Moment]) -> None:
    if not any(moment.over.any() for moment in moments):
        steps = sum(moment.call == "step" for moment in moments)
        warnings.warn(
            f"No episode ended within n_steps={steps}, so the rules of autoreset were not checked.",
            stacklevel=3,
        )
    mode = env.metadata["autoreset_mode"]
    if mode == AutoresetMode.SAME_STEP:
        _check_same_step(env, moments)
    elif mode == AutoresetMode.NEXT_STEP:
        _check_next_step(moments)
    else:
        _check_disabled(env, moments)


def _rows(mask: NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(mask)]


def _check_same_step(env: VectorEnv[Any, Any, Any], moments: list[Moment]) -> None:
    rule = "same-step autoreset: "
    restarted = []
    for moment in moments[1:]:
        infos, over = moment.copies["infos"], moment.over
        present = FINAL_OBS in infos and FINAL_OBS_MASK in infos
        _require(present or not over.any(), f"{rule}infos hold final_obs and _final_obs", str(list(infos)))
        if not present:
            continue
        for name in (FINAL_OBS, FINAL_OBS_MASK):
            _check_kind(moment, name, *leaves(moment.values["infos"][name]))
        mask = np.asarray(infos[FINAL_OBS_MASK])
        detail = f"{mask} for {over}"
        _require(
            mask.dtype == bool and np.array_equal(mask, over), f"{rule}_final_obs marks what ended", detail
        )
        for row in _rows(over):
            last = row_of(infos[FINAL_OBS], row)
            kept = env.single_observation_space.contains(last)
            _require(kept, f"{rule}final_obs of a row that ended lies in the space", repr(last))
            restarted.append(not equal(last, row_of(moment.copies["obs"], row)))
        _require(_apart(moment), f"{rule}obs and final_obs share no memory", "one buffer")
    found = "obs and final_obs are equal wherever an episode ended"
    _require(
        any(restarted) or not restarted, f"{rule}obs begin the next episode, final_obs end the last", found
    )


def _apart(moment: Moment) -> bool:
    """Whether observations and last observations lie in different memory."""
    obs, final = leaves(moment.values["obs"]), leaves(moment.values["infos"][FINAL_OBS])
    return not any(_shared(a, b) for a in obs for b in final)


def _shared(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.shares_memory(a, b)


def _check_next_step(moments: list[Moment]) -> None:
    rule = "next-step autoreset: the step that restarts a row returns"
    for moment in moments[1:]:
        rewards, rows = moment.copies["rewards"], moment.restarts
        _require(not rewards[rows].any(), f"{rule} reward 0", f"{rewards} where {rows} restart")
        _require(
            not moment.over[rows].any(), f"{rule} both flags False", f"{moment.over} where {rows} restart"
        )


def _check_disabled(env: VectorEnv[Any, Any, Any], moments: list[Moment]) -> None:
    *_, last = play(env, [env.action_space.sample()], seed=0)
    pairs = [(a, b) for a, b in itertools.pairwise(moments) if b.call == "reset"]
    pairs.append((last, masked_reset(env, last, np.arange(env.num_envs) % 2 == 0)))
    for before, after in pairs:
        for row in _rows(~after.restarts):
            kept = _same_row(before, after, row)
            _require(kept, "reset_mask leaves the other rows as they are", f"row {row} has changed")
    restarted = [not _same_row(a, b, row) for a, b in pairs for row in _rows(b.restarts)]
    _require(any(restarted), "reset_mask restarts its rows", "their observations stay")


def _same_row(a: Moment, b: Moment, row: int) -> bool:
    return equal(row_of(a.copies["obs"], row), row_of(b.copies["obs"], row))


def _check_seeds(
    env: VectorEnv[Any, Any, Any],
    moments: list[Moment],
    actions: Sequence[Any],
    *,
    seed: int,
    stochastic: bool,
) -> None:
    if env.spec is None or not env.spec.nondeterministic:
        again = list(play(env, actions, seed=seed))
        _require(_same(moments, again), "the same integer seed gives the same numbers", "two rollouts differ")
    if stochastic:
        other = list(play(env, actions, seed=seed + 1000))  # beyond the seeds of single rows
        _require(not _same(moments, other), "another seed gives other numbers", "two rollouts are equal")


def _check_independence(
    env: VectorEnv[Any, Any, Any],
    moments: list[Moment],
    actions: Sequence[Any],
    other_actions: Sequence[Any],
    *,
    seed: int,
) -> None:
    if env.spec is not None and env.spec.nondeterministic:
        return
    spoilt = list(play(env, actions, seed=seed, spoil=True))
    rule = "a caller may write into what was returned"
    _require(_same(moments, spoilt), rule, "the environment reads it back")
    if env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP:
        other = list(play(env, actions, seed=seed, other_actions=other_actions))
        rule = "next-step autoreset: the step that restarts a row ignores its action"
        _require(_same(moments, other), rule, "another action gives another rollout")


def _same(a: Sequence[Moment], b: Sequence[Moment]) -> bool:
    return len(a) == len(b) and all(equal(_numbers(x), _numbers(y)) for x, y in zip(a, b, strict=True))


def _numbers(moment: Moment) -> list[Any]:
    """The values that a seed must fix; other infos may hold the time of day."""
    numbers = [value for name, value in moment.copies.items() if name != "infos"]
    if FINAL_OBS in moment.copies["infos"]:
        numbers += [row_of(moment.copies["infos"][FINAL_OBS], row) for row in _rows(moment.over)]
    return numbers


def _check_options(env: VectorEnv[Any, Any, Any], moments: list[Moment], *, seed: int) -> None:
    options: dict[str, Any] = {}
    obs, _ = env.reset(seed=seed, options=options)
    rule = "empty options change nothing and stay empty"
    kept = not options and equal(to_numpy(obs), moments[0].copies["obs"])
    _require(kept, rule, f"options {options}, obs {obs} instead of {moments[0].copies['obs']}")
    if env.metadata["autoreset_mode"] != AutoresetMode.DISABLED:
        return
    mask = mask_like(moments[0], np.ones(env.num_envs, np.bool_))
    options = {RESET_MASK: mask}
    env.reset(options=options)
    _require(bool(mask.all()), "reset leaves the caller's mask as it was", str(mask))
    if RESET_MASK not in options:
        warnings.warn(
            "reset() takes reset_mask out of the caller's options, where an outer wrapper then misses it.",
            stacklevel=3,
        )

"""Rows and episodes that repeat others, are too short, or lack marks of their ends."""

import numpy as np
from numpy.typing import NDArray

from offline_envs.data.episodes import broken_links
from offline_envs.data.transitions import Transitions

REPEATED = 0.01
"""Share of rows that may be exact copies of earlier ones."""

TERMINATED = 0.5
"""Share of rows above which terminations look wrong."""

SHORT = 0.5
"""Share of episodes of a single step above which there hardly are episodes."""

SAME_LENGTH = 0.5
"""Share of episodes of one length that a limit of steps explains without terminations."""

ROWS_AT_ONCE = 100_000


def duplicate_steps(transitions: Transitions) -> str:
    """Rows that are exact copies of earlier ones."""
    codes = row_codes(transitions)
    copies = len(codes) - len(np.unique(codes))
    if copies <= REPEATED * len(codes):
        return ""
    return (
        f"{copies:,} of {len(codes):,} rows repeat an earlier row ({copies / len(codes):.1%}): they weigh "
        "more than others, and some are in holdout and training set at once"
    )


def duplicate_episodes(transitions: Transitions) -> str:
    """Episodes of at least two steps that are copies of earlier ones."""
    codes = row_codes(transitions)
    starts = transitions.episode_starts.numpy()
    episodes = [rows.tobytes() for rows in np.split(codes, starts[1:]) if len(rows) > 1]
    copies = len(episodes) - len(set(episodes))
    return f"{copies:,} of {len(starts):,} repeat an earlier one: was a file given twice?" if copies else ""


def row_codes(transitions: Transitions) -> NDArray[np.uint64]:
    """A number for every row `(n,)`: equal for equal rows, and different for others but for 2⁻⁶⁴ of pairs."""
    fields = ("obs", "actions", "rewards", "next_obs")
    arrays = [getattr(transitions, name).numpy().reshape(len(transitions), -1) for name in fields]
    factors = np.random.default_rng(0).integers(
        1 << 63, size=sum(a.shape[1] for a in arrays), dtype=np.uint64
    )
    codes = np.empty(len(transitions), np.uint64)
    for start in range(0, len(codes), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        bits = np.concatenate([array[rows] for array in arrays], axis=1).view(np.uint32)
        codes[rows] = (scrambled(bits) * (2 * factors + 1)).sum(axis=1)
    return codes


def scrambled(bits: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Spread the bits of every number, so that no simple relation between numbers survives in a sum."""
    mixed = (bits.astype(np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    return mixed * np.uint64(0xBF58476D1CE4E5B9)


def short_episodes(transitions: Transitions) -> str:
    """Episodes of a single step, if they are many."""
    lengths = transitions.episode_lengths.numpy()
    short = int((lengths < 2).sum())
    if short <= SHORT * len(lengths):
        return ""
    return (
        f"{short:,} of {len(lengths):,} have a single step: the rows are hardly in order, and returns of "
        "episodes mean nothing"
    )


def terminations(transitions: Transitions) -> str:
    """Whether terminations are plausible: not most steps, and some if episodes differ in length."""
    ended = int(transitions.terminated.sum())
    if ended > TERMINATED * len(transitions):
        return (
            f"{ended:,} of {len(transitions):,} steps terminate: are these timeouts, or the flags inverted?"
        )
    lengths = transitions.episode_lengths.numpy()
    usual = int(np.bincount(lengths).max())
    if ended == 0 and usual < SAME_LENGTH * len(lengths):
        return (
            f"no step terminates, yet episodes take from {lengths.min():,} to {lengths.max():,} steps: "
            "are the marks lost?"
        )
    return ""


def unmarked_ends(transitions: Transitions) -> str:
    """Rows inside an episode, or inside what a termination ends, that their successor does not follow."""
    ends = np.zeros(len(transitions), np.bool_)
    ends[transitions.episode_starts.numpy()[1:] - 1] = True
    broken = broken_links(transitions.obs.numpy(), transitions.next_obs.numpy(), ends)
    inside = transitions.terminated.numpy()[:-1] & ~ends[:-1]
    count = int((broken | inside).sum())
    if count == 0:
        return ""
    return (
        f"{count:,} rows inside episodes terminate or are not followed by their next_obs, the first is row "
        f"{int(np.argmax(broken | inside))}: give episode_starts that end episodes there"
    )

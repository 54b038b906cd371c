"""`warn_of_reader`: programs that read rows by one autoreset mode, and never ask which is in force.

Most programs look at `metadata["autoreset_mode"]` and refuse what they cannot read. These do not, so they
would learn from wrong rows without a word.
"""

import sys
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from gymnasium.vector import AutoresetMode


class Reader(NamedTuple):
    """A program that reads one mode only."""

    name: str
    mode: AutoresetMode
    otherwise: str  # what it makes of the rows in another mode
    remedy: str


READERS: dict[str, Reader] = {
    "ray.rllib": Reader(
        "RLlib",
        AutoresetMode.NEXT_STEP,
        "takes the row after an end for the first observation of an episode, whatever it is",
        'config.environment(..., env_config={"autoreset_mode": "NextStep", ...})',
    ),
    "skrl": Reader(
        "skrl",
        AutoresetMode.SAME_STEP,
        "stores the step that restarts a row as one of the environment's",
        'gym.make_vec(..., autoreset_mode="SameStep"), and give its agents infos["final_obs"] as in '
        "docs/integrations.md",
    ),
}
"""Such programs by the package whose functions call `step`."""


def warn_of_reader(mode: AutoresetMode) -> None:
    """Warn if one of the callers of this function is of a program that reads another mode than `mode`.

    Warns:
        UserWarning: One is; the message names the setting.
    """
    found = next(_readers_that_call(), None)
    if found is not None and found.mode != mode:
        warnings.warn(
            f"{found.name} steps an environment with autoreset_mode={mode.value!r}, but reads only "
            f"{found.mode.value!r}: it {found.otherwise}. It learns from wrong rows. Use {found.remedy}.",
            stacklevel=2,
        )


def _readers_that_call() -> Iterator[Reader]:
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        module = f"{frame.f_globals.get('__name__', '')}."
        yield from (reader for package, reader in READERS.items() if module.startswith(f"{package}."))

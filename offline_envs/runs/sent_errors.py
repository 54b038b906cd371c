"""`SentError`: an error on its way from a process of a run to the one that started it."""

import pickle
import traceback
from dataclasses import dataclass
from typing import Self

from offline_envs.errors import OfflineEnvsError


@dataclass(frozen=True)
class SentError:
    """An error of another process, which survives if one of the two cannot pickle it.

    Attributes:
        pickled: The error; empty if it cannot be pickled, as one that holds a function.
        told: Its type, text and traceback.
    """

    pickled: bytes
    told: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Pack an error, in the process that raised it."""
        said = "".join(traceback.format_exception_only(error)).strip()
        told = f"{said}\n\n{''.join(traceback.format_exception(error)).strip()}"
        try:
            return cls(pickle.dumps(error), told)
        except Exception:  # whatever its parts raise
            return cls(b"", told)

    def error(self) -> BaseException:
        """The error, or an `OfflineEnvsError` that tells of it.

        Python makes an error anew from its text alone, so one whose constructor takes more cannot be made,
        nor one of a module that is not found here.
        """
        try:
            found = pickle.loads(self.pickled)
        except Exception:  # whatever its constructor raises
            found = None
        return found if isinstance(found, BaseException) else OfflineEnvsError(self.told)

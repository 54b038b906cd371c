"""`Diagnosis`: the answers to every question about a model, from one table of questions."""

from dataclasses import dataclass
from typing import TypeVar

from offline_envs.diagnose.base import Advice, Chapter, Section
from offline_envs.diagnose.calibration import CalibrationReport
from offline_envs.diagnose.coverage import Coverage
from offline_envs.diagnose.evidence import Evidence
from offline_envs.diagnose.halting import Halting
from offline_envs.diagnose.horizon import HorizonReport
from offline_envs.diagnose.markov import MarkovReport
from offline_envs.diagnose.penalty import PenaltyReport

SECTIONS: tuple[type[Section], ...] = (
    HorizonReport,
    MarkovReport,
    PenaltyReport,
    Halting,
    CalibrationReport,
    Coverage,
)
"""The questions of a diagnosis, those with the most useful advice first."""

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was measured.

    Attributes:
        evidence: The evidence that the sections were measured on.
        sections: The answers, one of each kind in `SECTIONS`.
    """

    evidence: Evidence
    sections: tuple[Section, ...]

    @property
    def notes(self) -> list[str]:
        """Work that could not be done, and the reasons, in full sentences."""
        return [*self.evidence.notes, *(note for section in self.sections for note in section.notes)]

    def section(self, kind: type[S]) -> S:
        """The answer of one kind.

        Raises:
            KeyError: There is none.
        """
        for section in self.sections:
            if isinstance(section, kind):
                return section
        raise KeyError(kind.__name__)


def chapters(found: Diagnosis) -> list[Chapter]:
    """Every chapter of the report, in order."""
    return [chapter for section in found.sections for chapter in section.chapters()]


def advise(found: Diagnosis) -> list[Advice]:
    """Every piece of advice, the most useful first."""
    return [advice for section in found.sections for advice in section.advice()]

"""`Section`: the answer to one question about a model, with its figures, its chapters and its advice."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from offline_envs.diagnose.evidence import Evidence

Row = Mapping[str, object]
"""One row of a table of figures: name of the column → value. All rows of a table have equal columns."""


@dataclass(frozen=True)
class Chapter:
    """One plot of a report, with the figures behind it.

    Attributes:
        name: Stem of its files.
        title: The question that it answers.
        text: How to read the plot.
        draw: Writes the plot to a path, as PNG.
        rows: The figures.
    """

    name: str
    title: str
    text: str
    draw: Callable[[Path], None]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes:
        topic: What it is about.
        value: The advice in a few words.
        figures: The main figures, in a few words.
        why: All figures behind it, in full sentences.
        warning: Whether something is wrong.
    """

    topic: str
    value: str
    figures: str
    why: str
    warning: bool = False


class Section(ABC):
    """The answer to one question about a model.

    A subclass is a frozen dataclass of measurements, with its plots, texts and advice. It is entered only in
    `SECTIONS` of `offline_envs/diagnose/diagnosis.py`.
    """

    @classmethod
    @abstractmethod
    def measure(cls, evidence: Evidence) -> Self:
        """Measure the answer from the shared evidence."""

    @property
    def notes(self) -> Sequence[str]:
        """Figures that could not be measured, and the reasons, in full sentences."""
        return ()

    @abstractmethod
    def chapters(self) -> Sequence[Chapter]:
        """The plots of the answer, in order."""

    @abstractmethod
    def advice(self) -> Sequence[Advice]:
        """Advice, the most useful first."""

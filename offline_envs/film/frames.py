"""`Frames`: shots side by side, as images."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from offline_envs.film.shots import Shot
from offline_envs.simulator import Pictures

CAPTION = 30
"""Height of the captions above the pictures, in pixels."""

GAP = 4
"""Width between two pictures."""

MOST_A_SECOND = 25
"""Pictures a second that are enough; GIFs show hardly more."""

FADED = 0.45
"""Brightness of a picture whose episode is over."""


class Frames:
    """The images of a film, one every few steps, to iterate over.

    A shot that is shorter than another one stays at its last observation, darkened.

    Args:
        shots: The shots, from left to right.
        pictures: What draws their observations.
        height: Height of the pictures in pixels, without captions.
        every: Steps from one image to the next; None for at most `MOST_A_SECOND` images a second.

    Attributes:
        every: Steps from one image to the next.
        seconds: Time from one image to the next, at the real speed.
    """

    def __init__(
        self, shots: Sequence[Shot], pictures: Pictures, *, height: int = 240, every: int | None = None
    ) -> None:
        self._shots = shots
        self._pictures = pictures
        self._height = height
        self.every = every or max(1, math.ceil(pictures.fps / MOST_A_SECOND))
        self.seconds = self.every / pictures.fps

    def __len__(self) -> int:
        return len(self._steps())

    def __iter__(self) -> Iterator[Image.Image]:
        for step in self._steps():
            yield _beside([self._view(shot, step) for shot in self._shots])

    def _steps(self) -> list[int]:
        longest = max(len(shot) for shot in self._shots)
        steps = list(range(0, longest + 1, self.every))
        return steps if steps[-1] == longest else [*steps, longest]  # how it ends is always seen

    def _view(self, shot: Shot, step: int) -> Image.Image:
        """The picture of a shot at a step, with its caption."""
        t = min(step, len(shot))
        picture = Image.fromarray(self._pictures.draw(shot.obs[t]))
        picture = picture.resize((round(picture.width * self._height / picture.height), self._height))
        over = shot.ended and step >= len(shot)
        if over and step > len(shot):
            picture = ImageEnhance.Brightness(picture).enhance(FADED)
        view = Image.new("RGB", (picture.width, self._height + CAPTION), "white")
        view.paste(picture, (0, CAPTION))
        total = float(np.sum(shot.rewards[:t], dtype=np.float64))
        text = f"{shot.title}{', over' if over else ''}\nstep {t}, return {total:.1f}"
        ImageDraw.Draw(view).multiline_text((4, 2), text, fill="black", spacing=2)
        return view


def _beside(views: Sequence[Image.Image]) -> Image.Image:
    width = sum(view.width for view in views) + GAP * (len(views) - 1)
    image = Image.new("RGB", (width + width % 2, views[0].height + views[0].height % 2), "white")
    left = 0
    for view in views:
        image.paste(view, (left, 0))
        left += view.width + GAP
    return image

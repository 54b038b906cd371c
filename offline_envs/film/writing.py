"""`write_film`: images as a GIF or MP4 file, which is complete or not there."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from offline_envs.errors import SettingsError
from offline_envs.files import new_file

FFMPEG = "imageio_ffmpeg"


def write_film(path: Path, images: Iterable[Image.Image], *, seconds: float) -> None:
    """Write a film; the file at `path` is replaced when it is complete.

    Args:
        path: The file, `.gif` or `.mp4`.
        images: At least one image; all of one size, even in both directions. They are taken one by one.
        seconds: Time from one image to the next.

    Raises:
        SettingsError: See `check_film`.
        StorageError: The system does not let it be written.
    """
    check_film(path)
    with new_file(path) as part:
        _WRITERS[path.suffix.lower()](part, images, seconds)


def check_film(path: Path) -> None:
    """Refuse a film that could not be written, before it is made.

    Raises:
        SettingsError: The name ends otherwise than in `.gif` or `.mp4`, is that of a folder, or an encoder is
            missing.
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise SettingsError(f"A film's name must end in {' or '.join(_WRITERS)}, got {str(path)!r}.")
    if path.is_dir():
        raise SettingsError(f"A film is a file, and {path} is a folder. Choose another name.")
    if suffix == ".mp4" and importlib.util.find_spec(FFMPEG) is None:
        raise SettingsError("An .mp4 needs an encoder: pip install imageio-ffmpeg. A .gif needs none.")


def _write_gif(part: Path, images: Iterable[Image.Image], seconds: float) -> None:
    left = _timed(images, seconds)
    first = next(left)
    with part.open("wb") as file:
        first.save(file, format="GIF", save_all=True, append_images=left, loop=0)


def _timed(images: Iterable[Image.Image], seconds: float) -> Iterator[Image.Image]:
    """Images with their durations: whole hundredths, as GIFs have, of which none drifts from its time."""
    for number, image in enumerate(images):
        begin, end = (round(100 * seconds * n) for n in (number, number + 1))
        image.info["duration"] = 10 * (end - begin)
        yield image


def _write_mp4(part: Path, images: Iterable[Image.Image], seconds: float) -> None:
    ffmpeg: Any = importlib.import_module(FFMPEG)
    left = iter(images)
    first = next(left)
    writer = ffmpeg.write_frames(
        str(part), first.size, fps=1 / seconds, macro_block_size=2, output_params=["-f", "mp4"]
    )
    writer.send(None)  # it starts
    try:
        for image in chain([first], left):
            writer.send(np.ascontiguousarray(image))
    finally:
        writer.close()


_WRITERS: Mapping[str, Callable[[Path, Iterable[Image.Image], float], None]] = {
    ".gif": _write_gif,
    ".mp4": _write_mp4,
}

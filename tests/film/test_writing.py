import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from offline_envs.errors import SettingsError
from offline_envs.film import check_film, write_film


def images(*levels: int) -> Iterator[Image.Image]:
    return (Image.new("RGB", (8, 6), (level,) * 3) for level in levels)


def test_a_gif_holds_every_image_for_its_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.gif"
    write_film(path, images(0, 100, 200), seconds=0.04)
    with Image.open(path) as film:
        assert (film.size, getattr(film, "n_frames")) == ((8, 6), 3)  # noqa: B009  of some formats only
        assert film.info["duration"] == 40
        found = []
        for frame in range(3):
            film.seek(frame)
            found.append(film.convert("RGB").getpixel((0, 0)))
    assert found == [(level,) * 3 for level in (0, 100, 200)]
    assert [file.name for file in path.parent.iterdir()] == ["film.gif"]


def test_a_gif_keeps_the_real_speed_in_whole_hundredths(tmp_path: Path) -> None:
    """Two steps of 1/30 s: 6.7, 13.3 and 20 hundredths end three images. Pillow would cut each to 6."""
    path = tmp_path / "film.gif"
    write_film(path, images(0, 100, 200), seconds=2 / 30)
    found = []
    with Image.open(path) as film:
        for frame in range(3):
            film.seek(frame)
            found.append(film.info["duration"])
    assert found == [70, 60, 70]


def test_a_film_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    path.write_text("old")

    def failing() -> Iterator[Image.Image]:
        yield from images(0, 100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(path, failing(), seconds=0.04)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]


def test_what_cannot_be_written_is_refused_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in \.gif or \.mp4, got 'film\.avi'"):
        check_film(Path("film.avi"))
    found = importlib.util.find_spec
    missing = "imageio_ffmpeg"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(SettingsError, match=r"An \.mp4 needs an encoder: pip install imageio-ffmpeg"):
        write_film(tmp_path / "film.mp4", images(0), seconds=0.04)
    check_film(Path("film.GIF"))
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(SettingsError, match=r"folder\.gif is a folder"):
        check_film(tmp_path / "folder.gif")


def test_an_mp4_is_given_to_the_encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By imageio-ffmpeg's generator: first None, then one array an image."""
    sent: list[Any] = []

    def write_frames(path: str, size: tuple[int, int], **options: Any) -> Iterator[None]:
        sent.append((size, options["fps"]))
        try:
            while True:
                frame: Any = yield
                sent.append(int(frame[0, 0, 0]))
        finally:
            Path(path).write_bytes(b"done")

    module = types.ModuleType("imageio_ffmpeg")
    module.__spec__ = importlib.util.spec_from_loader("imageio_ffmpeg", loader=None)
    setattr(module, "write_frames", write_frames)  # noqa: B010  a module has no such attribute
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", module)
    write_film(tmp_path / "film.mp4", images(0, 100), seconds=0.05)
    assert sent == [((8, 6), pytest.approx(20)), 0, 100]
    assert (tmp_path / "film.mp4").read_bytes() == b"done"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the reader's pipes
def test_an_mp4_can_be_read_again(tmp_path: Path) -> None:
    ffmpeg: Any = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    frames = [Image.new("RGB", (64, 48), (level,) * 3) for level in (50, 50, 200)]
    write_film(tmp_path / "film.mp4", frames, seconds=0.04)
    reader = ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    meta = next(reader)
    assert (meta["size"], round(meta["fps"])) == ((64, 48), 25)
    read = [int(np.frombuffer(frame, np.uint8).mean()) for frame in reader]
    assert read == [pytest.approx(50, abs=4), pytest.approx(50, abs=4), pytest.approx(200, abs=4)]

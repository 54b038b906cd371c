from typing import Any, cast

import numpy as np
import pytest

from offline_envs.film import Frames, Shot
from offline_envs.film.frames import CAPTION, FADED, GAP
from offline_envs.simulator import Pictures


class Greys:
    """Draws an observation as a picture of its brightness, 20 high and 30 wide."""

    fps = 50.0

    def draw(self, obs: Any) -> Any:
        return np.full((20, 30, 3), round(obs[0]), np.uint8)


PICTURES = cast(Pictures, Greys())


def shot(*levels: float, ended: bool = False) -> Shot:
    obs = np.array(levels, np.float32)[:, None]
    return Shot("shot", obs, np.ones(len(levels) - 1, np.float32), ended)


def levels(frames: Frames) -> list[list[int]]:
    """Brightness in the middle of each picture of two shots, image by image."""
    height, width = 20, 30
    found = []
    for image in frames:
        assert image.size == (2 * width + GAP, height + CAPTION)
        row = np.asarray(image)[CAPTION + height // 2, :, 0]
        found.append([int(row[width // 2]), int(row[width + GAP + width // 2])])
    return found


def test_shots_are_side_by_side_step_by_step() -> None:
    frames = Frames([shot(10, 20, 30), shot(110, 120, 130)], PICTURES, height=20, every=1)
    assert levels(frames) == [[10, 110], [20, 120], [30, 130]]
    assert len(frames) == 3
    assert frames.seconds == 0.02


def test_a_shorter_shot_stays_and_fades_once_it_is_over() -> None:
    frames = Frames([shot(10, 200, ended=True), shot(1, 2, 3)], PICTURES, height=20, every=1)
    assert levels(frames) == [[10, 1], [200, 2], [pytest.approx(200 * FADED, abs=1), 3]]
    cut = Frames([shot(10, 200), shot(1, 2, 3)], PICTURES, height=20, every=1)
    assert levels(cut)[2] == [200, 3]


def test_images_are_every_few_steps_and_the_last() -> None:
    pair = [shot(*range(6)), shot(*range(6))]
    assert [row[0] for row in levels(Frames(pair, PICTURES, height=20, every=2))] == [0, 2, 4, 5]
    usual = Frames(pair, PICTURES, height=20)
    assert (usual.every, usual.seconds) == (2, 0.04)  # 25 a second of 50


def test_pictures_are_scaled_and_their_sizes_even() -> None:
    (image,) = Frames([shot(7)], PICTURES, height=41)
    assert image.size == (62, 72)  # 61.5 by 41 below the caption, rounded up to what encoders take


@pytest.mark.parametrize(("fps", "every"), [(10.0, 1), (25.0, 1), (30.0, 2), (60.0, 3), (125.0, 5)])
def test_at_most_25_images_are_shown_a_second(fps: float, every: int) -> None:
    pictures = Greys()
    pictures.fps = fps
    frames = Frames([shot(1, 2)], cast(Pictures, pictures))
    assert (frames.every, frames.seconds) == (every, every / fps)

import pytest

from offline_envs.kernels.fused_gaussian import SMALLEST_PART, parts_of


@pytest.mark.parametrize(
    ("width", "widest", "parts"),
    [
        (200, 64, ((0, 64), (64, 64), (128, 64), (192, 16))),
        (200, 128, ((0, 128), (128, 64), (192, 16))),
        (23, 64, ((0, 32),)),
        (1, 64, ((0, 16),)),
        (48, 64, ((0, 32), (32, 16))),
    ],
)
def test_parts_by_hand(width: int, widest: int, parts: tuple[tuple[int, int], ...]) -> None:
    assert parts_of(width, widest) == parts


@pytest.mark.parametrize("widest", [16, 32, 64, 128])
def test_parts_cover_each_column_once(widest: int) -> None:
    """A product would miss columns, or count them twice."""
    for width in range(1, 300):
        parts = parts_of(width, widest)
        covered = [column for start, size in parts for column in range(start, start + size)]
        assert covered == list(range(len(covered)))
        assert width <= len(covered) < width + SMALLEST_PART
        assert all(size in (16, 32, 64, 128) and size <= widest for _, size in parts)

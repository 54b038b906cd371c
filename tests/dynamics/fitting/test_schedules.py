import pytest

from offline_envs.dynamics.fitting.schedules import constant, cosine, linear


def test_cosine_by_hand() -> None:
    """1 050 steps: 50 of warm-up, then a thousand along half a cosine."""
    assert cosine(0, 1050) == pytest.approx(1 / 51)
    assert cosine(49, 1050) == pytest.approx(50 / 51)
    assert cosine(50, 1050) == 1.0
    assert cosine(300, 1050) == pytest.approx(0.5 + 0.5 * 0.5**0.5)  # a quarter: cos 45°
    assert cosine(550, 1050) == pytest.approx(0.5)
    assert 0 < cosine(1049, 1050) < 1e-5


def test_a_short_fit_warms_up_in_a_tenth_of_it() -> None:
    assert [round(cosine(step, 20), 3) for step in (0, 1, 2, 11)] == [0.333, 0.667, 1.0, 0.5]
    assert cosine(0, 3) == 1.0


def test_constant_needs_no_end() -> None:
    assert constant(10**9, None) == 1.0


def test_own_inputs_grow_in_the_first_half() -> None:
    assert [linear(step, 8) for step in (0, 1, 3, 4, 7)] == [0.0, 0.25, 0.75, 1.0, 1.0]

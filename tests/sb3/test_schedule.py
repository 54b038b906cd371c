import pytest

from offline_envs.errors import SettingsError
from offline_envs.sb3 import mopo_schedule


def test_mopos_own_numbers() -> None:
    # 50 000 rollouts of 5 steps, then 1000 updates; the transitions of 5 epochs are kept.
    assert mopo_schedule(50_000, 5) == {
        "train_freq": 5,
        "gradient_steps": 1000,
        "buffer_size": 1_250_000,
        "learning_starts": 0,
    }


def test_few_rows_collect_several_horizons_for_one_update() -> None:
    schedule = mopo_schedule(10, 5)  # 250 transitions an update, 50 a horizon
    assert (schedule["train_freq"], schedule["gradient_steps"]) == (25, 1)


@pytest.mark.parametrize("n_envs", [1, 7, 64, 500, 1023, 1024, 5000])
@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize("ratio", [None, 1, 2.5, 333])
def test_the_ratio_holds_within_one_per_cent_by_whole_horizons(
    n_envs: int, horizon: int, ratio: float | None
) -> None:
    schedule = mopo_schedule(n_envs, horizon, transitions_per_gradient_step=ratio)
    wanted = 50 * horizon if ratio is None else ratio
    got = n_envs * schedule["train_freq"] / schedule["gradient_steps"]
    assert got == pytest.approx(wanted, rel=0.01)
    assert schedule["train_freq"] % horizon == 0


def test_settings() -> None:
    assert mopo_schedule(500, 5, retained_transitions=10_000)["buffer_size"] == 10_000
    with pytest.raises(SettingsError, match="must be positive, got 0, 5"):
        mopo_schedule(0, 5)

import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.evaluation.off_policy.bootstrap import Bootstrap


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    """1000 numbers of deviation 1: the mean's deviation is 0.0316, the central 90 % are ± 1.645 of that."""
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    values = (values - values.mean()) / values.std(correction=0)
    low, high = Bootstrap(level=0.9, n_resamples=4000).of_mean(values)
    assert (low, high) == pytest.approx((-0.0520, 0.0520), abs=0.003)


def test_equal_episodes_leave_nothing_open() -> None:
    assert Bootstrap(n_resamples=5).of_mean(torch.full((4,), 3.0)) == (3.0, 3.0)


def test_whole_episodes_are_drawn_and_the_seed_decides() -> None:
    drawn: list[list[int]] = []

    def statistic(index: torch.Tensor) -> float:
        drawn.append(index.tolist())
        return 0.0

    for seed in (1, 1, 2):
        Bootstrap(n_resamples=1, seed=seed).interval(statistic, 50)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 50
    assert 0 <= min(drawn[0]) <= max(drawn[0]) < 50
    assert len(set(drawn[0])) < 50


@pytest.mark.parametrize("setting", [{"level": 0.0}, {"level": 1.0}, {"n_resamples": 0}, {"seed": -1}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(setting))):
        Bootstrap(**setting)  # type: ignore[arg-type]

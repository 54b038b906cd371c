import pytest

from offline_envs.consistency import DiscriminatorSettings
from offline_envs.errors import SettingsError


def test_snapshots_lie_at_even_distances_and_the_last_at_the_end() -> None:
    assert DiscriminatorSettings(steps=100, n_snapshots=4).snapshot_steps() == [25, 50, 75, 100]
    assert DiscriminatorSettings(steps=10, n_snapshots=3).snapshot_steps() == [3, 6, 10]
    assert DiscriminatorSettings(steps=2, n_snapshots=2).snapshot_steps() == [1, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_snapshots": 0}, "n_snapshots must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"holdout": 0}, "holdout must be at least 1, got 0"),
        ({"steps": 9}, "steps must be at least n_snapshots=10, got 9"),
        ({"hidden": []}, r"hidden must hold the width of each hidden layer, got \(\)"),
        ({"learning_rate": 0}, "learning_rate must be above 0, got 0"),
        ({"successor": "obs"}, "Unknown successor 'obs'. Valid: delta, next_obs"),
        ({"seed": -1}, "seed must lie in 0.*, got -1"),
        ({"width": 3}, "Unknown setting of DiscriminatorSettings 'width'"),
    ],
)
def test_bad_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        DiscriminatorSettings.from_json(values)

from offline_envs.collect import Kind
from offline_envs.collect.snapshots import Snapshot, choose_snapshot


def snapshots(*returns: float) -> list[Snapshot]:
    return [Snapshot(steps, mean_return, {}) for steps, mean_return in enumerate(returns)]


def test_expert_is_the_best_snapshot_even_if_it_is_not_the_last() -> None:
    assert choose_snapshot(snapshots(0, 90, 50), Kind.EXPERT, random_return=0).mean_return == 90


def test_medium_is_the_snapshot_nearest_to_a_third_of_the_way() -> None:
    """From -30 to 90 a third of the way is 10; from 0 it would be 30."""
    chosen = choose_snapshot(snapshots(-40, 12, 30, 90), Kind.MEDIUM, random_return=-30)
    assert chosen.mean_return == 12

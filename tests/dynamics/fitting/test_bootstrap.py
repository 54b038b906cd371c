import torch

from offline_envs.dynamics.fitting.bootstrap import Bootstrap


def test_every_epoch_shuffles_the_same_draw() -> None:
    members = Bootstrap(3, 100, seed=0)
    first, second = members.order(0), members.order(1)
    assert first.dtype == torch.int32
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)


def test_members_draw_with_replacement_and_differ() -> None:
    order = Bootstrap(2, 1000, seed=0).order(0)
    assert not torch.equal(order[0].sort().values, order[1].sort().values)
    # With replacement, a share 1 − 1/e of the rows is drawn at all.
    assert 0.58 < len(order[0].unique()) / 1000 < 0.68


def test_without_replacement_every_member_sees_every_row() -> None:
    order = Bootstrap(2, 50, seed=0, replace=False).order(0)
    assert torch.equal(order.sort().values, torch.arange(50, dtype=torch.int32).expand(2, 50))
    assert not torch.equal(order[0], order[1])


def test_order_depends_on_seed_and_epoch_only() -> None:
    walked = Bootstrap(2, 30, seed=4)
    for epoch in range(3):
        walked.order(epoch)
    assert torch.equal(walked.order(7), Bootstrap(2, 30, seed=4).order(7))
    assert not torch.equal(walked.order(7), Bootstrap(2, 30, seed=5).order(7))

import torch

from offline_envs.diagnose.disagreement import halt_rate, thresholds


def test_thresholds_by_hand() -> None:
    assert thresholds(torch.tensor([1.0, 3.0]), (0, 5)) == {0: 2, 5: 7}


def test_a_step_is_halted_above_the_threshold_not_at_it() -> None:
    rates = halt_rate(torch.tensor([3.0, 1, 2, 2]), torch.tensor([0.0, 1, 2, 2.5, 3]))
    assert rates.tolist() == [1, 0.75, 0.25, 0.25, 0]

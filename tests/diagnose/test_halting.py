from dataclasses import replace

import pytest
import torch
from torch import Tensor

from offline_envs.diagnose.halting import Halting, halt_rate, thresholds


def halting(data: Tensor, **imagined: Tensor) -> Halting:
    return Halting(data, imagined, thresholds(data), "policy", 5)


def test_thresholds_by_hand() -> None:
    assert thresholds(torch.tensor([1.0, 3.0]), (0, 5)) == {0: 2, 5: 7}


def test_a_step_is_halted_above_the_threshold_not_at_it() -> None:
    rates = halt_rate(torch.tensor([3.0, 1, 2, 2]), torch.tensor([0.0, 1, 2, 2.5, 3]))
    assert rates.tolist() == [1, 0.75, 0.25, 0.25, 0]


def test_the_advised_threshold_halts_little_of_the_data() -> None:
    """Of 0 … 0, 1 (99 zeros): mean 0.01, deviation 0.0995. β = 0 halts exactly 1 %, which is allowed."""
    found = halting(torch.cat([torch.zeros(99), torch.ones(1)]), policy=torch.ones(4))
    assert found.marks[0] == pytest.approx(0.01)
    assert found.marks[5] == pytest.approx(0.01 + 5 * 0.0995, abs=1e-3)
    assert found.rates(0.5) == {"dataset steps": pytest.approx(0.01), "policy": 1}
    assert found.advised() == 0
    (advice,) = found.advice()
    assert (advice.value, advice.warning) == (
        "0.01 (mean + 0·std)",
        True,
    )  # it halts every step of the policy


def test_the_mean_of_spread_data_is_too_low_a_threshold() -> None:
    """Of 0, 1, …, 99, the mean halts half, mean + 5·std = 194 nothing."""
    found = halting(torch.arange(100.0))
    assert found.rates(found.marks[0])["dataset steps"] == 0.5
    assert found.advised() == 5


def test_the_text_names_the_disagreement() -> None:
    other = replace(halting(torch.ones(3)), name="std")
    assert "max ‖μ_i − μ_j‖ in deviations" in halting(torch.ones(3)).chapters()[0].text
    assert "Var" in other.chapters()[0].text


def test_rows_begin_with_the_marks() -> None:
    rows = halting(torch.tensor([1.0, 10.0])).rows()
    assert [row["mark"] for row in rows[:4]] == ["mean + 0 std", "mean + 5 std", "mean + 10 std", ""]
    assert rows[3]["threshold"] == pytest.approx(1)
    assert (rows[3]["dataset steps"], rows[-1]["dataset steps"]) == (0.5, 0)


def test_members_that_agree_everywhere_are_no_error() -> None:
    assert halting(torch.zeros(3)).rows()[-1]["dataset steps"] == 0


def test_a_single_member_has_no_threshold_to_advise() -> None:
    found = halting(torch.zeros(3), policy=torch.zeros(2))
    assert (found.chapters(), found.advice()) == ([], [])
    assert "nothing halts" in found.notes[0]
    assert not halting(torch.tensor([0.0, 1.0])).notes

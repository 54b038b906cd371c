from pathlib import Path

import pytest
import torch

from offline_envs.dynamics import fit_termination
from offline_envs.dynamics.termination_head import best_threshold, load_termination, save_termination
from offline_envs.errors import CheckpointError
from offline_envs.files.tensors import write_tensors
from tests.dynamics.linear_data import linear_transitions


def test_head_learns_the_rule_and_generalises() -> None:
    train, test = linear_transitions(4000), linear_transitions(2000, seed=1)
    head = fit_termination(train)
    found = head(test.obs, test.actions, test.next_obs)
    assert found.dtype == torch.bool
    assert found.shape == (2000,)
    assert (found == test.terminated).float().mean().item() > 0.98


@pytest.mark.parametrize("answer", [False, True])
def test_a_single_class_is_always_predicted(answer: bool) -> None:
    data = linear_transitions()
    data.terminated.fill_(answer)
    head = fit_termination(data)
    far = 1e6 * torch.ones(3, 2)
    assert head(far, far[:, :1], -far).tolist() == [answer] * 3


def test_training_is_seeded() -> None:
    data = linear_transitions()
    first, second = fit_termination(data, seed=1), fit_termination(data, seed=1)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_threshold_of_best_f1() -> None:
    logits, labels = torch.tensor([0.0, 4.0, 1.0, 3.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert best_threshold(logits, labels).item() == 2.0
    assert (torch.ones(2) > best_threshold(torch.ones(2), torch.ones(2))).all()


def test_threshold_never_cuts_among_equal_logits() -> None:
    """F1 of the first two rows would be 1; at their own logit as the threshold, no row is terminal."""
    logits, labels = torch.tensor([2.0, 2.0, 2.0, 0.0, -1.0]), torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
    assert best_threshold(logits, labels).item() == 1.0
    assert best_threshold(torch.zeros(3), torch.tensor([1.0, 0.0, 0.0])).item() < 0.0


def test_saved_head_answers_the_same(tmp_path: Path) -> None:
    data = linear_transitions()
    head = fit_termination(data)
    save_termination(tmp_path / "head.safetensors", head)
    loaded = load_termination(tmp_path / "head.safetensors")
    arguments = data.obs, data.actions, data.next_obs
    assert torch.equal(head(*arguments), loaded(*arguments))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    with pytest.raises(CheckpointError, match="does not exist"):
        load_termination(path)
    write_tensors(path, {"a": torch.zeros(2)}, {"head_version": 99})
    with pytest.raises(CheckpointError, match="head version 99"):
        load_termination(path)
    path.write_text("hello")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_termination(path)

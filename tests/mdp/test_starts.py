import numpy as np
import pytest
import torch

from offline_envs.errors import SettingsError
from offline_envs.mdp.starts import StartStates
from tests.toy import toy_transitions


def test_candidates() -> None:
    toy = toy_transitions()
    assert torch.equal(StartStates.from_transitions(toy, "dataset", device="cpu").obs, toy.obs)
    first = StartStates.from_transitions(toy, "initial", device="cpu")
    assert first.obs.tolist() == [[0, 0], [0, 1], [0, 2]]


def test_draws_uniformly_and_reproducibly() -> None:
    starts = StartStates.from_transitions(toy_transitions(), "initial", device="cpu")
    drawn = starts.draw(3000, torch.Generator().manual_seed(0))
    counts = drawn[:, 1].long().bincount()
    assert ((counts > 900) & (counts < 1100)).all()
    assert torch.equal(drawn, starts.draw(3000, torch.Generator().manual_seed(0)))


def test_given_observations_are_copied() -> None:
    starts = StartStates.from_transitions(toy_transitions(), "initial", device="cpu")
    for obs in (np.zeros((2, 2), np.float32), torch.zeros(2, 2)):
        tensor = starts.given(obs, (2, 2))
        obs[:] = 5
        assert not tensor.any()


@pytest.mark.parametrize("start", ["data", "", None])
def test_unknown_start_is_refused(start: str) -> None:
    with pytest.raises(SettingsError, match="Valid: dataset, initial"):
        StartStates.from_transitions(toy_transitions(), start, device="cpu")

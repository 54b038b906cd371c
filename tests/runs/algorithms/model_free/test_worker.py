"""The worker in this process, with the stand-in in place of d3rlpy."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from offline_envs.data import d3rlpy_arrays
from offline_envs.policies import TorchScriptPolicy
from offline_envs.runs.algorithms.model_free.worker import RequestError, make_learner, train
from tests.runs.algorithms.model_free import d3rlpy_stand_in
from tests.toy import toy_transitions


@pytest.fixture(autouse=True)
def d3rlpy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in as d3rlpy; the global generators, which it seeds, are put back."""
    monkeypatch.setitem(sys.modules, "d3rlpy", d3rlpy_stand_in)
    drawn = np.random.get_state()  # noqa: NPY002
    python = random.getstate()
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(drawn)  # noqa: NPY002
    random.setstate(python)


class Listener:
    """Keeps what the worker tells, and takes steps that are told at once a second for none."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, **message: Any) -> None:
        self.told.append(message)

    def tell_step(self, step: int) -> None:
        pass


def request_of(folder: Path, **changes: Any) -> dict[str, Any]:
    dataset = folder / "dataset.npz"
    np.savez(dataset, **d3rlpy_arrays(toy_transitions()))  # type: ignore[arg-type]
    common = {"learner": "TD3PlusBC", "config": {}, "seed": 0, "device": "cpu:0", "dataset": str(dataset)}
    shape = {"folder": str(folder / "checkpoint"), "obs_dim": 2, "action_dim": 1}
    return {**common, **shape, "start": 0, "steps": 7, "every": 3, **changes}


def policy_after(folder: Path, step: int) -> float:
    path = folder / "checkpoint" / f"step-{step}" / "policy.pt"
    return float(TorchScriptPolicy(path, 2, Box(-1.0, 1.0, (1,)))(torch.zeros(1, 2)))


def test_a_policy_is_saved_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    listener: Any = Listener()
    train(request_of(tmp_path), listener)
    assert listener.told == [
        {"n_transitions": 9},
        *({"step": step, "saved": True} for step in (3, 6, 7)),
    ]
    weights = [policy_after(tmp_path, step) for step in (3, 6, 7)]
    assert len(set(weights)) == 3
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == ["step-3", "step-6", "step-7"]


def test_a_start_in_the_middle_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    """Weights, step counter and all three generators: one missing changes the last policy."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "whole").mkdir()
    listener: Any = Listener()
    train(request_of(tmp_path / "whole"), listener)
    train(request_of(tmp_path / "parts", steps=3), listener)
    np.random.random(5)  # noqa: NPY002
    train(request_of(tmp_path / "parts", start=3, seed=8), listener)
    assert policy_after(tmp_path / "parts", 7) == policy_after(tmp_path / "whole", 7)


@pytest.mark.parametrize(("changes", "expected"), [({"threads": 3}, [3]), ({}, [])])
def test_it_trains_with_the_threads_of_the_request(
    changes: dict[str, int], expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds at once would otherwise each take every core, and hinder each other."""
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    listener: Any = Listener()
    train(request_of(tmp_path, **changes), listener)
    assert asked == expected


def test_a_request_that_cannot_be_carried_out_is_refused(tmp_path: Path) -> None:
    def refused(**changes: Any) -> str:
        with pytest.raises(RequestError) as raised:
            make_learner(request_of(tmp_path, **changes))
        return str(raised.value)

    assert refused(learner="BRAC") == "d3rlpy 0-stand-in has no BRAC"
    unknown = refused(config={"step_sise": 0.1})
    assert unknown.startswith("TD3PlusBC has no setting 'step_sise'. Valid: action_scaler, ")
    assert "step_size is a number" in refused(config={"step_size": "large"})

"""No break of a file of discriminators is loaded in silence: refused, or the same contents."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_envs.consistency import DynamicsReward, fit_dynamics_reward, fitted_dynamics_reward, store
from offline_envs.dynamics import STATE_FILE
from tests.consistency.test_training import QUICK, tensors_of
from tests.exact import exact
from tests.mutations import check_mutations
from tests.toy import toy_ensemble, toy_transitions


def contents(reward: DynamicsReward) -> dict[str, Any]:
    tensors = {str(i): tensor for i, tensor in enumerate(tensors_of(reward))}
    return exact(tensors) | {"successor": reward.discriminators.successor}


def test_a_dynamics_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_loaded", {})

    def load(seed: int = 0) -> dict[str, Any]:
        store._loaded.clear()
        settings = replace(QUICK, seed=seed)
        arguments = toy_ensemble(), toy_transitions(), settings
        return contents(fitted_dynamics_reward(*arguments, cache_dir=tmp_path, progress=False))

    load()
    (path,) = (tmp_path / "discriminators").iterdir()
    load(1)
    (other,) = set((tmp_path / "discriminators").iterdir()) - {path}
    counts = check_mutations(path, load, others=[other])
    assert counts.refused > counts.same


def test_the_state_of_a_training(tmp_path: Path) -> None:
    """Continued from a broken state a training would end in other discriminators."""
    folders = {seed: tmp_path / str(seed) for seed in (0, 1)}
    arguments = toy_ensemble(), toy_transitions()
    for seed, folder in folders.items():
        fit_dynamics_reward(*arguments, replace(QUICK, seed=seed), folder=folder, progress=False)

    def load() -> dict[str, Any]:
        return contents(fit_dynamics_reward(*arguments, QUICK, folder=folders[0], progress=False))

    counts = check_mutations(folders[0] / STATE_FILE, load, others=[folders[1] / STATE_FILE])
    assert counts.refused > counts.same

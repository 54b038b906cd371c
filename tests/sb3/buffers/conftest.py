from pathlib import Path

import numpy as np
import pytest

from tests.sb3.toy import toy_transitions


@pytest.fixture
def dataset_path(tmp_path: Path) -> str:
    data = toy_transitions()
    path = tmp_path / "toy.npz"
    np.savez(
        path,
        obs=data.obs.numpy(),
        actions=data.actions.numpy(),
        rewards=data.rewards.numpy(),
        next_obs=data.next_obs.numpy(),
        terminated=data.terminated.numpy(),
    )
    return str(path)

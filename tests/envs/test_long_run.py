"""Imagined episodes without end need no more memory than short ones.

The variable `OFFLINE_ENVS_LONG_RUN` is the number of steps.
"""

import gc
import os
from pathlib import Path

import gymnasium as gym
import pytest

N_STEPS = int(os.environ.get("OFFLINE_ENVS_LONG_RUN", "2000"))
STATISTICS = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    return int(STATISTICS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.filterwarnings("ignore:The termination rule", "ignore:.*imagined steps left the data")
@pytest.mark.skipif(not STATISTICS.exists(), reason="needs Linux's figures of a process")
@pytest.mark.parametrize("env_id", ["LearnedModel-v0", "PenalizedModel-v0", "PessimisticModel-v0"])
def test_memory_is_flat(env_id: str, tiny_model: Path) -> None:
    envs = gym.make_vec(
        env_id,
        num_envs=16,
        dataset="offline-envs/inverteddoublependulum-replay-v0",
        model=tiny_model,
        termination="never",
        max_episode_steps=1_000_000,
        progress=False,
    )
    envs.reset(seed=0)
    envs.action_space.seed(0)
    figures = []
    for n_steps in (500, N_STEPS):
        for _ in range(n_steps):
            envs.step(envs.action_space.sample())
        gc.collect()
        figures.append((len(gc.get_objects()), resident_bytes()))
    (objects, memory), (objects_later, memory_later) = figures
    print(f"{N_STEPS} steps: {objects_later - objects} objects, {memory_later - memory} bytes more")
    assert objects_later - objects < 100
    assert memory_later - memory < 8 * 2**20

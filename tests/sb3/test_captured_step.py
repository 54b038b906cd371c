from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from offline_envs.sb3.captured_step import WARM_UP_STEPS, CapturedStep
from offline_envs.sb3.sac_step import SACBatch, SACLosses


def batch_of(number: float, size: int = 2) -> SACBatch:
    return SACBatch(*(torch.full((size, 1), number) for _ in SACBatch._fields))


class Recorder:
    """A step that notes the first obs, and whether it was recorded rather than taken."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.recording = False

    def __call__(self, batch: SACBatch) -> SACLosses:
        self.batch = batch
        if not self.recording:
            self.seen.append(float(batch.obs[0, 0]))
        return SACLosses(*(batch.obs[0, 0] for _ in SACLosses._fields))


class FakeGraph:
    """What PyTorch promises of a graph: a replay is the recorded step with its tensors as they are now."""

    def __init__(self, step: Recorder) -> None:
        self.step = step

    def replay(self) -> None:
        self.step(self.recorded)


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(CapturedStep, "_aside", lambda self, batch: recorder(batch))

    @contextmanager
    def recording(graph: FakeGraph) -> Iterator[None]:
        recorder.recording = True
        yield
        recorder.recording = False
        graph.recorded = recorder.batch

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(recorder))
    monkeypatch.setattr(torch.cuda, "graph", recording)
    return recorder


def test_every_batch_is_learned_from_once(step: Recorder) -> None:
    captured = CapturedStep(step)
    losses = [float(captured(batch_of(number)).actor_loss) for number in range(WARM_UP_STEPS + 4)]
    assert step.seen == losses == list(range(WARM_UP_STEPS + 4))


def test_batches_of_another_size_are_captured_anew(step: Recorder) -> None:
    captured = CapturedStep(step)
    for size in (2, 3):
        for number in range(WARM_UP_STEPS + 2):
            captured(batch_of(number, size))
        assert len(step.batch.obs) == size
    assert step.seen == 2 * list(range(WARM_UP_STEPS + 2))


def test_a_failed_capture_is_said_once_and_costs_no_step(
    step: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise RuntimeError("no graphs here")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", refuse)
    captured = CapturedStep(step)
    for number in range(WARM_UP_STEPS):
        captured(batch_of(number))
    with pytest.warns(UserWarning, match="no graphs here"):
        captured(batch_of(WARM_UP_STEPS))
    captured(batch_of(WARM_UP_STEPS + 1))  # a second warning would be an error
    assert step.seen == list(range(WARM_UP_STEPS + 2))

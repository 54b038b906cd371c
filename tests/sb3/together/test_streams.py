import random
from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.sb3.together.streams import RandomStreams, streams_kept

CPU = torch.device("cpu")

Numbers = tuple[float, float, float]


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 the generator that SB3 seeds
    torch.manual_seed(number)


def draw() -> Numbers:
    legacy: Any = np.random
    return random.random(), float(legacy.normal()), float(torch.rand(()))  # odd numbers of normal ones


def test_each_draws_what_it_would_alone() -> None:
    expected = []
    for number in range(2):
        seed(number)
        expected.append([draw() for _ in range(5)])
    found: list[list[Numbers]] = [[], []]
    streams = [RandomStreams(CPU) for _ in range(2)]
    seed(7)
    outside = [draw() for _ in range(6)]
    seed(7)
    with streams_kept():
        for number, each in enumerate(streams):
            with each.active():
                seed(number)
        for turn in (0, 1, 1, 0, 0, 1, 0, 1, 1, 0):
            with streams[turn].active():
                found[turn].append(draw())
    assert found == expected
    assert [draw() for _ in range(6)] == outside


def test_what_is_drawn_on_the_device_alone_goes_on_in_a_turn() -> None:
    streams = RandomStreams(CPU)
    with streams_kept(), streams.active():
        torch.manual_seed(3)
    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(8)
    with streams.on_device():
        found = torch.rand(2).tolist()
    with streams_kept(), streams.active():
        found += torch.rand(2).tolist()
    assert found == expected
    assert torch.initial_seed() == 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="generators of a device need CUDA")
def test_numbers_of_a_cuda_device_are_swapped_too() -> None:
    device = torch.device("cuda")
    streams = [RandomStreams(device) for _ in range(2)]
    expected, found = [], []
    for number in range(2):
        torch.manual_seed(number)
        expected.append(torch.rand(4, device=device).tolist())
        with streams_kept(), streams[number].active():
            torch.manual_seed(number)
    for each in streams:
        with each.on_device():
            found.append(torch.rand(2, device=device).tolist())
    for number, each in enumerate(streams):
        with streams_kept(), each.active():
            found[number] += torch.rand(2, device=device).tolist()
    assert found == expected

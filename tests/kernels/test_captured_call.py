from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from offline_envs.kernels import captured_call
from offline_envs.kernels.captured_call import WARM_UP_CALLS, CapturedCall, cuda_graph
from tests.fake_graph import use_fake_graphs

CUDA = torch.device("cuda")

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")


class Sum:
    """Sums its inputs in a tensor with a fixed address."""

    def __init__(self, size: int = 2, device: str = "cpu") -> None:
        self.total = torch.zeros(size, device=device)

    def __call__(self, number: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.total += number
        return self.total.clone(), {"last": number + 0}


@pytest.fixture(autouse=True)
def fakes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "cuda" not in request.node.name:
        use_fake_graphs(monkeypatch)


def test_every_call_is_made_once_with_its_own_inputs() -> None:
    function = Sum()
    captured = CapturedCall(function, name="a sum")
    for i in range(1, WARM_UP_CALLS + 6):
        total, infos = captured(torch.full((2,), float(i)))
        assert total.tolist() == function.total.tolist() == [i * (i + 1) / 2] * 2
        assert infos["last"].tolist() == [i, i]
    assert captured._replay is not None


def test_inputs_of_another_shape_or_dtype_are_captured_again() -> None:
    captured = CapturedCall(lambda number: number * 2, name="a product")
    for number in (torch.ones(2), torch.ones(3), torch.ones(3, dtype=torch.int64)):
        for _ in range(WARM_UP_CALLS + 2):
            doubled = captured(number)
            assert (doubled.shape, doubled.dtype) == (number.shape, number.dtype)
            assert (doubled == 2).all()


def test_the_caller_keeps_the_inputs() -> None:
    captured = CapturedCall(lambda number: number.add_(1), name="an addition")
    for _ in range(WARM_UP_CALLS + 1):
        captured(torch.zeros(2))
    number = torch.zeros(2, requires_grad=True)
    assert captured(number).tolist() == [1, 1]
    assert number.tolist() == [0, 0]


def test_a_failed_capture_warns_once_and_loses_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Any:
        raise RuntimeError("no graphs here")

    monkeypatch.setattr(captured_call, "cuda_graph", refuse)
    function = Sum()
    captured = CapturedCall(function, name="a sum")
    for _ in range(WARM_UP_CALLS):
        captured(torch.ones(2))
    with pytest.warns(
        UserWarning, match=r"Could not capture a sum as a CUDA graph; running eagerly, which is slower: no"
    ):
        captured(torch.ones(2))
    captured(torch.ones(2))  # a second warning would be an error
    assert function.total.tolist() == [WARM_UP_CALLS + 2] * 2


class State:
    """The state of a generator, which a failed capture of it breaks."""

    spoilt = False


class Generator:
    """A generator as PyTorch's graphs handle it: a handle of an exchangeable state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def graphsafe_get_state(self) -> "Generator":
        return Generator(self.state)

    def graphsafe_set_state(self, other: "Generator") -> None:
        self.state = other.state

    def clone_state(self) -> "Generator":
        return Generator(State())


class Graph:
    def __init__(self) -> None:
        self.generators: list[Generator] = []

    def register_generator_state(self, generator: Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        """Do nothing: the tests check what was registered."""


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Generator:
    """Stand-ins for what `torch.cuda` has for graphs; returns the default generator."""
    default = Generator(State())

    @contextmanager
    def recording(graph: Graph, stream: None) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            for generator in (*graph.generators, default):
                generator.state.spoilt = True
            raise

    @contextmanager
    def nothing(*arguments: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "stream", nothing)
    monkeypatch.setattr(torch.cuda, "device", nothing)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "default_generators", (default,))
    return default


def test_a_failed_capture_spoils_no_generator(cuda: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's policies draw from its default generator, which would break otherwise."""
    own = Generator(State())
    before = (own.state, cuda.state)

    def fail() -> None:
        raise RuntimeError("it waits for the device")

    monkeypatch.setattr(captured_call, "_REGISTERS", True)

    with pytest.raises(RuntimeError, match="it waits"):
        cuda_graph(fail, [own], CUDA)  # type: ignore[list-item]
    assert (own.state, cuda.state) == before
    assert not own.state.spoilt
    assert not cuda.state.spoilt


def test_a_graph_draws_from_the_generator_itself(cuda: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_call, "_REGISTERS", True)  # as PyTorch wants it up to 2.13
    own = Generator(State())
    before, registered = own.state, []
    monkeypatch.setattr(Graph, "register_generator_state", lambda graph, g: registered.append(g.state))
    replay = cuda_graph(lambda: "result", [own], CUDA)  # type: ignore[list-item]
    assert replay() == "result"
    assert own.state is registered[-1] is before


@needs_cuda
def test_on_cuda_a_captured_call_draws_the_same_numbers() -> None:
    """Also where it is captured in between, and where the generator starts again."""
    numbers = []
    for captures in (True, False):
        generator = torch.Generator("cuda").manual_seed(3)

        def draw(scale: Tensor, generator: torch.Generator = generator) -> Tensor:
            return scale * torch.randn(5, generator=generator, device="cuda")

        call = CapturedCall(draw, name="a draw", generators=[generator]) if captures else draw
        scale = torch.full((5,), 2.0, device="cuda")
        drawn = [call(scale).tolist() for _ in range(WARM_UP_CALLS + 3)]
        generator.manual_seed(3)
        numbers.append([*drawn, call(scale).tolist()])
    assert numbers[0] == numbers[1]
    assert numbers[0][-1] == numbers[0][0]
    assert len({tuple(row) for row in numbers[0]}) == WARM_UP_CALLS + 3


@needs_cuda
def test_on_cuda_a_call_that_waits_for_the_device_is_made_without_a_graph() -> None:
    generator = torch.Generator("cuda").manual_seed(0)

    def wait(number: Tensor) -> float:
        return float((number * torch.rand((), generator=generator, device="cuda")).sum())

    captured = CapturedCall(wait, name="a wait", generators=[generator])
    number = torch.ones(3, device="cuda")
    stream = torch.cuda.current_stream()
    drawn = [captured(number) for _ in range(WARM_UP_CALLS)]
    with pytest.warns(UserWarning, match="Could not capture a wait as a CUDA graph"):
        drawn.append(captured(number))
    drawn.append(captured(number))
    generator.manual_seed(0)
    assert drawn == [wait(number) for _ in drawn]
    assert torch.cuda.current_stream() == stream
    assert torch.randn(3, device="cuda").isfinite().all()  # the default generator still draws
    summed = CapturedCall(Sum(3, "cuda"), name="a sum")
    sums = [summed(number)[0].tolist() for _ in range(WARM_UP_CALLS + 2)]
    assert sums == [[i] * 3 for i in range(1, WARM_UP_CALLS + 3)]

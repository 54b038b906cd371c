"""Prediction by one kernel: its choice and its launch here, its numbers in `interpreted_fused.py`."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FunctionModel, fused_or_plain
from offline_envs.dynamics.ensemble import fused
from offline_envs.dynamics.ensemble.fused import networks_of, obstacle, predict_fused
from offline_envs.dynamics.ensemble.precision import PRECISIONS
from offline_envs.errors import SettingsError
from offline_envs.kernels import has_triton
from offline_envs.kernels.fused_gaussian import FEW_ROWS, TILES
from tests.toy import MEANS, STDS, toy_ensemble

needs_triton = pytest.mark.skipif(not has_triton(), reason="needs Triton")
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available() or obstacle(toy_ensemble().to("cuda")) is not None,
    reason="needs a GPU that the kernel is for, and Triton",
)


def ensemble(obs_dim: int = 5, action_dim: int = 3, **settings: Any) -> EnsembleDynamics:
    settings = {"n_members": 3, "n_elites": 2, "hidden": (40, 24), **settings}
    return EnsembleDynamics(obs_dim, action_dim, settings=EnsembleSettings(**settings)).requires_grad_(False)


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every ensemble be on a device for which the kernel is."""
    monkeypatch.setattr(EnsembleDynamics, "device", torch.device("cuda:0"))
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(fused, "has_triton", lambda: True)


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("settings", [{}, {"separate_heads": False}, {"hidden": (256,)}, {"n_members": 100}])
def test_the_kernel_predicts_ensembles_of_mopos_kind(settings: dict[str, Any]) -> None:
    model = ensemble(**settings)
    assert obstacle(model) is None
    assert fused_or_plain(model, "tf32").func is predict_fused  # type: ignore[attr-defined]


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"probabilistic": False}, "the kernel predicts a variance, and probabilistic=False has none"),
        ({"layer_norm": True}, "SiLU without layer_norm, not 'silu' with layer_norm"),
        ({"activation": "leaky_relu"}, "SiLU without layer_norm, not 'leaky_relu' without layer_norm"),
        ({"hidden": (8, 257, 8)}, "at most 256 wide, not 257"),
        ({"obs_dim": 256}, "at most 256 wide, not 259"),
    ],
)
def test_other_ensembles_are_computed_by_pytorch(settings: dict[str, Any], reason: str) -> None:
    model = ensemble(**settings)
    assert reason in str(obstacle(model))
    with pytest.warns(UserWarning, match=rf"^fused=True has no effect: .*{reason}\. .* layer by layer\.$"):
        assert fused_or_plain(model, "bfloat16") is PRECISIONS["bfloat16"]


def test_other_models_are_computed_by_pytorch() -> None:
    model = FunctionModel(lambda obs, action: (obs, action[:, 0]), 2, 1)
    assert obstacle(model) == "FunctionModel is not an ensemble"


@pytest.mark.usefixtures("on_a_gpu")
def test_other_devices_are_computed_by_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ensemble()
    monkeypatch.setattr(fused, "has_triton", lambda: False)
    assert obstacle(model) == "Triton is not installed"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 9))
    assert obstacle(model) == "the kernel needs compute capability 9.0, and cuda:0 has 8.9"
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert obstacle(model) == "the kernel is for CUDA devices, and the model is on cuda:0"
    monkeypatch.setattr(EnsembleDynamics, "device", torch.device("cpu"))
    assert obstacle(model) == "the kernel is for CUDA devices, and the model is on cpu"


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Unknown precision 'float16'\. Valid: bfloat16, float32, tf32"):
        fused_or_plain(ensemble(), "float16")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_graph_holds_operations_of_pytorch(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for another program must not need Triton."""
    monkeypatch.setattr(fused, "is_traced", lambda: True)
    model, obs, action = ensemble(), torch.randn(7, 5), torch.randn(7, 3)
    found = predict_fused(model, obs, action, torch.tensor([1]), precision=precision)
    assert torch.equal(found.mean, PRECISIONS[precision](model, obs, action, torch.tensor([1])).mean)


@pytest.mark.parametrize("separate_heads", [True, False])
def test_the_kernel_is_given_the_weights_themselves(separate_heads: bool) -> None:
    """RAMBO's adversary changes them in place between two steps, and a graph reads them where they were."""
    model = ensemble(separate_heads=separate_heads)
    networks = networks_of(model)
    shared = {value.untyped_storage().data_ptr() for value in model.state_dict().values()}
    parts = [*networks.trunk, networks.mean, networks.logvar]
    given = [
        networks.centre,
        networks.scale,
        networks.low,
        networks.high,
        *(v for pair in parts for v in pair),
    ]
    assert {value.untyped_storage().data_ptr() for value in given} == shared - {model.elites.data_ptr()}
    weight, bias = model._head()
    assert torch.equal(torch.cat([networks.mean[0], networks.logvar[0]], dim=-1), weight)
    assert torch.equal(torch.cat([networks.mean[1], networks.logvar[1]], dim=-1), bias)
    assert networks.logvar[0].stride(1) == networks.mean[0].stride(1) == (6 if separate_heads else 12)


class Launches:
    """In place of the kernel: keeps what it is launched with."""

    def __init__(self) -> None:
        self.grid: tuple[int, int] | None = None
        self.arguments: tuple[Any, ...] = ()
        self.constants: dict[str, Any] = {}
        self.code: dict[str, Any] = {}

    def __getitem__(self, grid: tuple[int, int]) -> Any:
        self.grid = grid
        return self.launch

    def launch(self, *arguments: Any, **constants: Any) -> None:
        self.arguments, self.constants = arguments, constants


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    kernel = Launches()
    name = "offline_envs.kernels.fused_kernel"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(predict_tile=kernel))
    return kernel


@pytest.mark.parametrize(
    ("precision", "n_rows", "n_warps", "tile", "grid"),
    [
        ("float32", 1000, 4, 64, (16, 3)),
        ("bfloat16", 1024, 4, 64, (16, 3)),
        ("bfloat16", FEW_ROWS + 1, 8, 128, (FEW_ROWS // 128 + 1, 3)),
    ],
)
def test_a_launch_covers_every_row_and_member(
    precision: str, n_rows: int, n_warps: int, tile: int, grid: tuple[int, int], launches: Launches
) -> None:
    model, obs, action = ensemble(), torch.randn(n_rows, 5), torch.randn(n_rows, 3)
    mean, std = predict_fused(model, obs, action, precision=precision)
    assert mean.shape == std.shape == (3, n_rows, 6)
    assert launches.grid == grid
    assert launches.arguments[-3:-1] == (None, (mean, std))
    assert launches.arguments[-1] == n_rows
    assert launches.constants == {
        "OBS_DIM": 5,
        "WIDTHS": (8, 40, 24, 6),
        "OFFSETS": (0, 1, 3, 4, 5),
        "STARTS": (0, 0, 32, 0, 0),
        "SIZES": (16, 32, 16, 32, 16),
        "HEAD_WIDTH": 6,
        "PRECISION": precision,
        "TILE": tile,
        "num_warps": n_warps,
    }


def test_a_launch_covers_the_members_that_are_asked(launches: Launches) -> None:
    members = torch.tensor([2, 0])
    found = predict_fused(ensemble(), torch.randn(9, 5), torch.randn(9, 3), members, precision="tf32")
    assert launches.grid == (1, 2)
    assert launches.arguments[-3] is members
    assert found.mean.shape == (2, 9, 6)


def test_a_tile_is_known_for_every_precision() -> None:
    assert set(TILES) == set(PRECISIONS)


@needs_triton
def test_in_the_interpreter_of_triton(tmp_path: Path) -> None:
    """In a process of its own: the interpreter has to be chosen before Triton is imported."""
    tests = Path(__file__).with_name("interpreted_fused.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


class Driver:
    """In place of Triton's driver: a device with a compute capability of 9.0 that only compilers see."""

    def __init__(self) -> None:
        from triton.backends.compiler import GPUTarget

        self._target = GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_target(self) -> Any:
        return self._target

    def get_current_stream(self, device: int) -> int:
        return device


@pytest.fixture
def compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launches:
    """The kernel compiled for such a device, with what it is launched with."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")  # or Triton 3.9 warns of a change to come
    from triton.runtime import driver

    from offline_envs.kernels import fused_kernel

    class Compiled(Launches):
        def launch(self, *arguments: Any, **constants: Any) -> None:
            self.code = kernel.warmup(*arguments, grid=self.grid, **constants).asm

    kernel = fused_kernel.predict_tile
    replaced = Compiled()
    monkeypatch.setattr(fused_kernel, "predict_tile", replaced)
    driver.set_active(Driver())
    return replaced


@needs_triton
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU needs its own driver, and launches for itself")
@pytest.mark.parametrize("members", [None, torch.tensor([1])])
@pytest.mark.parametrize("separate_heads", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_launch_compiles_without_a_gpu(
    precision: str, separate_heads: bool, members: torch.Tensor | None, compiles: Launches
) -> None:
    """The interpreter takes programs and arguments that the compiler refuses."""
    model = ensemble(hidden=(20,), separate_heads=separate_heads)
    predict_fused(model, torch.randn(9, 5), torch.randn(9, 3), members, precision=precision)
    assert "wgmma.mma_async" in compiles.code["ptx"]
    assert (".bf16.bf16" in compiles.code["ptx"]) == (precision == "bfloat16")


@needs_cuda
@pytest.mark.parametrize("members", [None, [2, 0]])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_on_cuda_numbers_by_hand(precision: str, members: list[int] | None) -> None:
    """The toy's outputs are biases of the last layer, which no precision rounds."""
    model = toy_ensemble().to("cuda")
    index = None if members is None else torch.tensor(members, device="cuda")
    obs, action = torch.randn(5, 2, device="cuda"), torch.randn(5, 1, device="cuda")
    found = predict_fused(model, obs, action, index, precision=precision)
    for row, member in enumerate(members or [0, 1, 2]):
        torch.testing.assert_close(found.mean[row].cpu(), torch.tensor(MEANS[member]).expand(5, 3))
        torch.testing.assert_close(found.std[row].cpu(), torch.tensor(STDS[member]).expand(5, 3))


@needs_cuda
@pytest.mark.parametrize("n_rows", [1, 1000, FEW_ROWS + 1])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_on_cuda_it_is_the_plain_prediction_of_a_cpu(precision: str, n_rows: int) -> None:
    bound = {"float32": 1e-5, "tf32": 4e-3, "bfloat16": 0.03}[precision]
    model = EnsembleDynamics(17, 6).requires_grad_(False)
    obs, action = torch.randn(n_rows, 17), torch.randn(n_rows, 6)
    exact = model.predict(obs, action)
    found = predict_fused(model.copy().to("cuda"), obs.cuda(), action.cuda(), precision=precision)
    assert (found.mean.cpu() - exact.mean).abs().max() < bound * exact.mean.abs().max()
    torch.testing.assert_close(found.std.cpu(), exact.std, rtol=bound, atol=0)

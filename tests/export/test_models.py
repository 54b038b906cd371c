from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_envs.dynamics import (
    EnsembleDynamics,
    EnsembleSettings,
    load_ensemble,
    read_model_card,
    save_model,
)
from offline_envs.errors import CheckpointError, OfflineEnvsError, SettingsError, StorageError
from offline_envs.export import export_model, onnx_file
from offline_envs.kernels import products
from tests.dynamics.gaussian_process.own_process import process_of
from tests.dynamics.linear_data import linear_transitions
from tests.export.files import metadata, run
from tests.toy import ELITES, MEANS, STDS, toy_ensemble

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra onnx", exc_type=ImportError)
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="ONNX files need the extra onnx", exc_type=ImportError
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `toy_ensemble`."""
    folder = tmp_path_factory.mktemp("export")
    save_model(folder / "model", toy_ensemble())
    export_model(folder / "model", folder / "new" / "toy.onnx")
    return folder / "new" / "toy.onnx"


def test_predictions_of_the_elites_by_hand(toy: Path) -> None:
    """Also in units for which a sigmoid has to be exact far from zero."""
    obs = np.array([[10.0, 20.0], [0.0, -1.0], [3.0, 3.0], [0.5, 7.0]], np.float32)
    reward, reward_std, next_obs, next_obs_std = run(toy, obs, np.zeros((4, 1), np.float32))
    for place, member in enumerate(ELITES):
        np.testing.assert_allclose(reward[place], [MEANS[member][0]] * 4, rtol=1e-5)
        np.testing.assert_allclose(reward_std[place], [STDS[member][0]] * 4, rtol=1e-5)
        np.testing.assert_allclose(next_obs[place], obs + np.array(MEANS[member][1:]), rtol=1e-5)
        np.testing.assert_allclose(next_obs_std[place], [STDS[member][1:]] * 4, rtol=1e-5)


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "sparse"])
def test_a_gaussian_process_becomes_a_file_for_any_number_of_rows(exact: bool, tmp_path: Path) -> None:
    data = linear_transitions(60)
    process = process_of(data, exact=exact)
    save_model(tmp_path / "model", process, transitions=data)
    export_model(tmp_path / "model", tmp_path / "gp.onnx")
    for n in (1, 7):
        obs, action = data.obs[:n], data.actions[:n]
        mean, std = process.predict(obs, action)
        reward, reward_std, next_obs, next_obs_std = run(tmp_path / "gp.onnx", obs.numpy(), action.numpy())
        np.testing.assert_allclose(reward, mean[..., 0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(reward_std, std[..., 0], rtol=1e-4)
        np.testing.assert_allclose(next_obs, obs + mean[..., 1:], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(next_obs_std, std[..., 1:], rtol=1e-4)


def test_one_file_says_what_it_is(toy: Path) -> None:
    assert [path.name for path in toy.parent.iterdir()] == ["toy.onnx"]
    onnx.checker.check_model(toy)
    session = onnxruntime.InferenceSession(toy, providers=["CPUExecutionProvider"])
    shapes = {part.name: part.shape for part in (*session.get_inputs(), *session.get_outputs())}
    assert shapes == {
        "obs": ["batch", 2],
        "action": ["batch", 1],
        "reward_mean": [2, "batch"],
        "reward_std": [2, "batch"],
        "next_obs_mean": [2, "batch", 2],
        "next_obs_std": [2, "batch", 2],
    }
    found = metadata(toy)
    assert (found["kind"], found["obs_dim"], found["action_dim"]) == ("ensemble", 2, 1)
    assert (found["n_elites"], found["elites"], found["dataset"]) == (2, list(ELITES), None)


def test_a_fitted_model_predicts_as_in_pytorch_and_calls_no_private_operator(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor for which oneDNN is called."""
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: device == "cpu")
    file = tmp_path / "model.onnx"
    export_model(str(tiny_model), str(file))
    model, generator = load_ensemble(tiny_model), torch.Generator().manual_seed(1)
    obs, action = (torch.randn(700, n, generator=generator) for n in (model.obs_dim, model.action_dim))
    mean, std = model.predict(obs, action, model.elites)
    expected = (mean[..., 0], std[..., 0], obs + mean[..., 1:], std[..., 1:])
    for ours, theirs in zip(run(file, obs.numpy(), action.numpy()), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
    assert metadata(file)["weights_sha256"] == read_model_card(tiny_model)["weights_sha256"]
    assert metadata(file)["env_id"] == "InvertedDoublePendulum-v5"


def test_other_members_are_exported_too(tmp_path: Path) -> None:
    """Without variances, layer-normalised and leaky."""
    shape: dict[str, Any] = {"hidden": (8, 8), "n_members": 2, "n_elites": 2, "probabilistic": False}
    settings = EnsembleSettings(layer_norm=True, activation="leaky_relu", **shape)
    model = EnsembleDynamics(3, 1, settings=settings)
    save_model(tmp_path / "model", model)
    export_model(tmp_path / "model", tmp_path / "model.onnx")
    obs, action = torch.ones(2, 3), torch.zeros(2, 1)
    reward, reward_std, _, _ = run(tmp_path / "model.onnx", obs.numpy(), action.numpy())
    np.testing.assert_allclose(reward, model.predict(obs, action).mean[..., 0], atol=2e-5)
    assert not reward_std.any()


def test_what_cannot_be_exported_leaves_no_file(
    toy_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out" / "model.onnx"
    with pytest.raises(CheckpointError, match="is not a model"):
        export_model(tmp_path, file)
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"onnx, onnxscript, onnxruntime, .*offline-envs\[onnx\]"):
        export_model(toy_model, file)
    monkeypatch.undo()

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such operator\nand more")

    with monkeypatch.context() as patch:
        patch.setattr(torch.onnx, "export", refuse)
        with pytest.raises(SettingsError, match=r"cannot be exported to ONNX: no such operator$"):
            export_model(toy_model, file)
    assert not file.parent.exists()


def test_a_file_that_computes_something_else_is_not_written(
    toy_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.onnx"
    file.write_text("as before")
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    with pytest.raises(
        OfflineEnvsError, match=r"reward_mean differs from PyTorch's by .* nothing was written"
    ):
        export_model(toy_model, file)
    assert file.read_text() == "as before"
    monkeypatch.undo()
    with pytest.raises(StorageError):
        export_model(toy_model, file / "below")

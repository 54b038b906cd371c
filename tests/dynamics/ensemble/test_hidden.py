"""Layer normalisation and activations of members, beside PyTorch's own layers member by member."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, fit, read_model, save_model
from offline_envs.dynamics.ensemble.ensemble import APART_FROM
from offline_envs.kernels import products
from tests.dynamics.linear_data import QUICK, linear_transitions

OBS_DIM, ACTION_DIM = 3, 2
MODULES: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "leaky_relu": nn.LeakyReLU}


@pytest.fixture(params=[True, False], ids=["one by one", "together"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "_onednn_is_faster", lambda device, dtype: request.param)


def made(activation: str = "leaky_relu", *, layer_norm: bool = True) -> EnsembleDynamics:
    """An ensemble whose every parameter is drawn."""
    settings = EnsembleSettings(
        n_members=4, n_elites=2, hidden=(16, 12), layer_norm=layer_norm, activation=activation
    )
    ensemble = EnsembleDynamics(OBS_DIM, ACTION_DIM, settings=settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (*ensemble.trunk.parameters(), *ensemble.norms.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=generator) / 2)
    return ensemble


def member_of(ensemble: EnsembleDynamics, i: int) -> nn.Sequential:
    """Member `i` as PyTorch's own layers, up to the raw mean and log-variance."""
    layers: list[nn.Module] = []
    for depth, linear in enumerate(ensemble.trunk):
        weight, bias = linear.get_parameter("weight")[i], linear.get_parameter("bias")[i, 0]
        layers.append(nn.Linear(*weight.shape))
        layers[-1].load_state_dict({"weight": weight.mT, "bias": bias})
        if len(ensemble.norms):
            norm = ensemble.norms[depth]
            layers.append(nn.LayerNorm(len(bias)))
            layers[-1].load_state_dict(
                {"weight": norm.get_parameter("gain")[i, 0], "bias": norm.get_parameter("shift")[i, 0]}
            )
        layers.append(MODULES[ensemble.settings.activation]())
    weight, bias = (
        torch.cat([head.get_parameter(name)[i] for head in ensemble.heads], dim=-1)
        for name in ("weight", "bias")
    )
    layers.append(nn.Linear(*weight.shape))
    layers[-1].load_state_dict({"weight": weight.mT, "bias": bias[0]})
    return nn.Sequential(*layers)


def gaussian(ensemble: EnsembleDynamics, outputs: Tensor) -> tuple[Tensor, Tensor]:
    assert ensemble.bounds is not None
    mean, logvar = outputs.split(1 + OBS_DIM, dim=-1)
    return mean, ensemble.bounds(logvar)


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("activation", MODULES)
def test_outputs_and_gradients_are_those_of_pytorchs_layers(activation: str, layer_norm: bool) -> None:
    ensemble = made(activation, layer_norm=layer_norm)
    inputs = torch.randn(4, 10, OBS_DIM + ACTION_DIM, requires_grad=True)
    twin = inputs.detach().clone().requires_grad_()
    factor = torch.linspace(-1, 1, 1 + OBS_DIM)
    mean, logvar = ensemble(inputs)
    ((mean + logvar.square()) * factor).sum().backward()
    for i in range(4):
        network = member_of(ensemble, i)
        expected = gaussian(ensemble, network(twin[i]))
        torch.testing.assert_close((mean[i], logvar[i]), expected, rtol=1e-4, atol=1e-5)
        ((expected[0] + expected[1].square()) * factor).sum().backward()
        last = ensemble.trunk[1].get_parameter("weight").grad
        first = ensemble.trunk[0].get_parameter("bias").grad
        assert last is not None
        assert first is not None
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        torch.testing.assert_close(last[i].mT, linears[1].weight.grad, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(first[i, 0], linears[0].bias.grad, rtol=1e-3, atol=1e-5)
        for norm, theirs in zip(
            ensemble.norms, (layer for layer in network if isinstance(layer, nn.LayerNorm)), strict=True
        ):
            for ours, grad in (("gain", theirs.weight.grad), ("shift", theirs.bias.grad)):
                found = norm.get_parameter(ours).grad
                assert found is not None
                torch.testing.assert_close(found[i, 0], grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(inputs.grad, twin.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("n_rows", [1, 10, APART_FROM + 45])
def test_every_way_to_predict_normalises(n_rows: int) -> None:
    ensemble = made()
    obs, action = torch.randn(n_rows, OBS_DIM), torch.randn(n_rows, ACTION_DIM)
    inputs = torch.cat([obs, action], dim=-1)
    own = torch.arange(n_rows) % 3  # nobody asks member 3
    everyone, some = ensemble.predict(obs, action), ensemble.predict(obs, action, torch.tensor([2, 0]))
    each = ensemble.predict_own(obs, action, own)
    rounded = ensemble.predict_rounded(obs, action, torch.tensor([2]), dtype=torch.bfloat16)
    for i in range(4):
        mean, logvar = gaussian(ensemble, member_of(ensemble, i)(inputs))
        expected = mean.detach(), (logvar / 2).exp().detach()
        torch.testing.assert_close((everyone.mean[i], everyone.std[i]), expected, rtol=1e-4, atol=1e-5)
        if i < 3:
            torch.testing.assert_close(each.mean[own == i], expected[0][own == i], rtol=1e-4, atol=1e-5)
        if i == 2:
            torch.testing.assert_close((some.mean[0], some.std[0]), expected, rtol=1e-4, atol=1e-5)
            error = (rounded.mean[0] - expected[0]).square().mean().sqrt()
            assert 0 < error < 0.02 * expected[0].square().mean().sqrt()
    assert torch.equal(some.mean, everyone.mean[[2, 0]])


def test_plain_members_have_no_norms_and_the_same_weights() -> None:
    """The draws of the weights are those of an ensemble without normalisation."""
    shape = {"n_members": 2, "n_elites": 1, "hidden": (8,)}
    plain = EnsembleDynamics(2, 1, settings=EnsembleSettings.from_json(shape))
    normed = EnsembleDynamics(2, 1, settings=EnsembleSettings.from_json({**shape, "layer_norm": True}))
    assert not any("norm" in name for name, _ in plain.named_parameters())
    for name, value in plain.state_dict().items():
        assert torch.equal(value, normed.state_dict()[name])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.filterwarnings("ignore:precision=")
def test_a_fit_learns_the_norms_and_they_are_saved(precision: str, tmp_path: Path) -> None:
    settings = EnsembleSettings(
        n_members=3, n_elites=2, hidden=(16, 16), layer_norm=True, activation="leaky_relu"
    )
    data = linear_transitions()
    quick = QUICK.from_json({**QUICK.to_json(), "precision": precision})
    ensemble, report = fit(data, settings, fit_settings=quick, progress=False)
    assert max(report.holdout_mse) < report.holdout_history[0][0]
    for norm in ensemble.norms:
        assert (norm.get_parameter("gain") != 1).all()
        assert (norm.get_parameter("shift") != 0).all()
    save_model(tmp_path / "model", ensemble, fit_settings=quick)
    loaded = read_model(tmp_path / "model")
    for ours, theirs in zip(
        loaded.predict(data.obs, data.actions), ensemble.predict(data.obs, data.actions), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_the_best_snapshot_keeps_the_norms(tmp_path: Path) -> None:
    """A resumed fit restores them with the weights."""
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(8,), layer_norm=True)
    first = fit(linear_transitions(), settings, fit_settings=QUICK, progress=False, folder=tmp_path)
    again = fit(linear_transitions(), settings, fit_settings=QUICK, progress=False, folder=tmp_path)
    for name, value in first.ensemble.state_dict().items():
        assert torch.equal(value, again.ensemble.state_dict()[name]), name

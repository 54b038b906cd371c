import pytest
import torch

from offline_envs.data import Transitions, load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, FitSettings, fit
from offline_envs.dynamics.ensemble.precision import PRECISIONS, predictor
from offline_envs.errors import SettingsError
from offline_envs.kernels import tf32_products
from tests.torch_versions import TF32_ON, TF32_SWITCH
from tests.toy import MEANS, STDS, toy_ensemble

matmul = torch.backends.cuda.matmul


@pytest.fixture(scope="module")
def data() -> Transitions:
    return load_transitions("offline-envs/inverteddoublependulum-replay-v0")


@pytest.fixture(scope="module")
def fitted(data: Transitions) -> EnsembleDynamics:
    settings = EnsembleSettings(n_members=2, n_elites=2, hidden=(64, 64))
    return fit(data, settings, fit_settings=FitSettings(max_epochs=3)).ensemble


def test_the_error_of_bfloat16_matches_its_bits(fitted: EnsembleDynamics, data: Transitions) -> None:
    """Seven bits round by up to 2⁻⁸ = 0.4 % each; an error in the layers would be far above these bounds."""
    exact = PRECISIONS["float32"](fitted, data.obs, data.actions, None)
    rounded = PRECISIONS["bfloat16"](fitted, data.obs, data.actions, None)
    target = torch.cat([data.rewards[:, None], data.next_obs - data.obs], dim=1)
    error = (rounded.mean - exact.mean).double()
    assert (error.square().mean((0, 1)).sqrt() < 0.03 * target.double().std(0)).all()
    assert ((error / exact.std).square().mean((0, 1)).sqrt() < 0.2).all()
    assert (rounded.std / exact.std - 1).abs().mean() < 0.005
    assert error.abs().amax() > 0
    assert rounded.mean.dtype == rounded.std.dtype == torch.float32


@pytest.mark.parametrize("members", [None, [2, 0]])
@pytest.mark.parametrize("name", PRECISIONS)
def test_numbers_by_hand(name: str, members: list[int] | None) -> None:
    """The toy's outputs are biases of the last layer, which no precision rounds."""
    asked = [0, 1, 2] if members is None else members
    index = None if members is None else torch.tensor(members)
    found = PRECISIONS[name](toy_ensemble(), torch.randn(5, 2), torch.randn(5, 1), index)
    assert found.mean.shape == found.std.shape == (len(asked), 5, 3)
    for row, member in enumerate(asked):
        torch.testing.assert_close(found.mean[row], torch.tensor(MEANS[member]).expand(5, 3))
        torch.testing.assert_close(found.std[row], torch.tensor(STDS[member]).expand(5, 3))


def test_a_single_weight_is_rounded_to_the_nearest() -> None:
    """One hidden unit, silu(1 · x + b): x = 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷ and goes to the even 1."""
    ensemble = EnsembleDynamics(1, 1, settings=EnsembleSettings(n_members=1, n_elites=1, hidden=(1,)))
    ensemble.requires_grad_(False)
    (layer,), (head, _) = ensemble.trunk, ensemble.heads
    layer.weight[:] = torch.tensor([[[1.0], [0.0]]])  # type: ignore[operator]
    layer.bias.zero_()  # type: ignore[operator]
    head.weight.fill_(1.0)  # type: ignore[operator]
    predict = PRECISIONS["bfloat16"]
    one, above = (predict(ensemble, torch.tensor([[x]]), torch.zeros(1, 1), None) for x in (1.0, 1 + 2**-8))
    assert torch.equal(one.mean, above.mean)
    assert float(one.mean[0, 0, 0]) == pytest.approx(0.7310586, rel=2**-8)


@pytest.mark.parametrize("name", PRECISIONS)
def test_follows_the_ensemble_when_its_weights_change(name: str) -> None:
    """RAMBO's adversary changes them between two steps."""
    ensemble = EnsembleDynamics(3, 2).requires_grad_(False)
    obs, action = torch.randn(4, 3), torch.randn(4, 2)
    before = PRECISIONS[name](ensemble, obs, action, None)
    ensemble.get_parameter("trunk.0.weight").mul_(2)
    assert not torch.equal(PRECISIONS[name](ensemble, obs, action, None).mean, before.mean)


def test_tf32_is_float32_on_a_cpu(fitted: EnsembleDynamics, data: Transitions) -> None:
    exact, same = (
        PRECISIONS[name](fitted, data.obs[:300], data.actions[:300], None) for name in ("float32", "tf32")
    )
    assert torch.equal(exact.mean, same.mean)
    assert torch.equal(exact.std, same.std)


def test_the_tf32_switch_is_restored_after_an_error() -> None:
    before = getattr(matmul, TF32_SWITCH), matmul.allow_tf32
    found = []

    @tf32_products()
    def fail() -> None:
        found.append(getattr(matmul, TF32_SWITCH))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert found == [TF32_ON]
    assert (getattr(matmul, TF32_SWITCH), matmul.allow_tf32) == before


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Unknown precision 'float16'\. Valid: bfloat16, float32, tf32"):
        predictor("float16", torch.device("cpu"))


def test_tf32_without_cuda_is_float32_itself() -> None:
    """So it is as fast as float32."""
    assert predictor("tf32", torch.device("cpu")) is PRECISIONS["float32"]
    assert predictor("tf32", torch.device("cuda:1")) is PRECISIONS["tf32"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", PRECISIONS)
def test_on_cuda_the_error_is_what_it_is_on_a_cpu(
    name: str, fitted: EnsembleDynamics, data: Transitions
) -> None:
    bounds = {"float32": 1e-5, "tf32": 4e-3, "bfloat16": 0.03}
    exact = PRECISIONS["float32"](fitted, data.obs, data.actions, None)
    found = PRECISIONS[name](fitted.copy().to("cuda"), data.obs.cuda(), data.actions.cuda(), None)
    target = torch.cat([data.rewards[:, None], data.next_obs - data.obs], dim=1)
    error = (found.mean.cpu() - exact.mean).double().square().mean((0, 1)).sqrt()
    assert (error < bounds[name] * target.double().std(0)).all()

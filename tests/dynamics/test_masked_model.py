from typing import Any

import pytest
import torch

from offline_envs.dynamics import FunctionModel, MaskedModel, disagreement_stats, is_dynamics_model
from offline_envs.dynamics.model import PredictsOwn
from offline_envs.errors import SettingsError
from tests.toy import MEANS, STDS, toy_ensemble, toy_transitions

OBS, ACTION = torch.zeros(4, 2), torch.zeros(4, 1)


def test_members_agree_without_doubt_on_what_is_known() -> None:
    model = MaskedModel(toy_ensemble(), [2, 0])
    assert is_dynamics_model(model)
    mean, std = model.predict(OBS, ACTION)
    torch.testing.assert_close(mean[:, 0, 0], torch.full((3,), 7 / 3))  # of 1, 2 and 4
    torch.testing.assert_close(mean[:, 0, 1], torch.tensor(MEANS)[:, 1])
    assert mean[:, 0, 2].tolist() == pytest.approx([2.0] * 3)
    assert std[..., [0, 2]].count_nonzero() == 0
    torch.testing.assert_close(std[:, 0, 1], torch.tensor(STDS)[:, 1])


def test_a_row_asks_its_own_member() -> None:
    assert isinstance(MaskedModel(toy_ensemble(), [2]), PredictsOwn)
    member = torch.tensor([0, 1, 2, 0])
    for model in (toy_ensemble(), FunctionModel(lambda o, a: (o.expand(3, -1, -1), o[:, 0]), 2, 1)):
        mean, std = MaskedModel(model, [2]).predict_own(OBS, ACTION, member)
        own = model.predict(OBS, ACTION).own(member)
        torch.testing.assert_close(mean[:, :2], own.mean[:, :2])
        torch.testing.assert_close(std[:, :2], own.std[:, :2])
        assert std[:, 2].count_nonzero() == 0


def test_a_copy_and_its_place_in_the_cache(tmp_path: Any) -> None:
    model = toy_ensemble()
    assert torch.equal(MaskedModel(model, [1]).copy().to("cpu").outputs, torch.tensor([1]))
    for masked in (MaskedModel(model, [1]), MaskedModel(model, [2]), MaskedModel(model, [2])):
        disagreement_stats(masked, toy_transitions(), cache_dir=tmp_path, progress=False)
    disagreement_stats(model, toy_transitions(), cache_dir=tmp_path, progress=False)
    assert len(list(tmp_path.rglob("*.json"))) == 3
    with pytest.raises(SettingsError, match="made by an environment"):
        MaskedModel.from_card({}, {})

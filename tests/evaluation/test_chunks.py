import pytest
import torch

from offline_envs.evaluation import chunks, predict_in_chunks
from tests.toy import toy_ensemble


def test_chunks_cover_all_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    ensemble, obs, actions = toy_ensemble(), torch.randn(5, 2), torch.zeros(5, 1)
    found = list(predict_in_chunks(ensemble, obs, actions))
    assert [len(obs[rows]) for rows, _ in found] == [2, 2, 1]
    together = torch.cat([prediction.mean for _, prediction in found], dim=1)
    torch.testing.assert_close(together, ensemble.predict(obs, actions).mean)


def test_no_rows_give_no_chunks() -> None:
    assert list(predict_in_chunks(toy_ensemble(), torch.zeros(0, 2), torch.zeros(0, 1))) == []

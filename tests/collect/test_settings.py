from pathlib import Path
from typing import Any

import pytest

from offline_envs.collect import CollectSettings, Kind
from offline_envs.errors import SettingsError


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Kind.RANDOM, {"steps": 0}, "steps must be 1 or more, got 0"),
        (Kind.RANDOM, {"seed": 2**32}, r"seed must lie in 0\.\.4294967295, got 4294967296"),
        (Kind.REPLAY, {"net_arch": (64, 0)}, "net_arch must be 1 or more, got 0"),
        (Kind.EXPERT, {"train_steps": 0}, "train_steps must be 1 or more, got 0"),
        (Kind.REPLAY, {"policy": Path("p.zip")}, "policy is for kinds medium and expert, got kind replay"),
        (Kind.REPLAY, {"train_steps": 5}, "train_steps is for kinds medium and expert"),
        (Kind.REPLAY, {"agent": "sarsa"}, "Unknown agent 'sarsa'"),
        (Kind.REPLAY, {"agent": "trpo"}, "Only an agent that learns from real steps .* got trpo"),
        (Kind.MEDIUM, {"agent": "combo"}, "Only an agent that learns from real steps .* got combo"),
        (
            Kind.EXPERT,
            {"agent": "trpo"},
            "Valid: sac, fastsac, ravl, redq, td3, .* crossq, dqn, qrdqn; or give a policy",
        ),
        (Kind.EXPERT, {"train_steps": 5, "policy": Path("p.zip")}, "without a policy"),
    ],
)
def test_settings_without_meaning_are_refused(kind: Kind, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CollectSettings(kind=kind, **{"steps": 10, **settings})


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        (CollectSettings(Kind.RANDOM, 10), 0),
        (CollectSettings(Kind.REPLAY, 10), 0),
        (CollectSettings(Kind.EXPERT, 10, policy=Path("p.zip")), 0),
        (CollectSettings(Kind.EXPERT, 10), 100_000),
        (CollectSettings(Kind.MEDIUM, 10, train_steps=7), 7),
    ],
)
def test_only_a_policy_without_a_file_is_trained_first(settings: CollectSettings, length: int) -> None:
    assert settings.training_length == length

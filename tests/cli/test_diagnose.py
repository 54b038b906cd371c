import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import SAC, TD3

from offline_envs.data import load_transitions
from tests.cli.runner import fail, succeed
from tests.runs.tiny import DEMO

SMALL = ("--horizon", 6, "--train-horizon", 3, "--options")
SIZES = json.dumps({"rows": 200, "rollouts": 20, "starts": 30, "episodes": 1})
NAMES = ("disagreement", "foresight", "intervals", "memory", "penalty", "reach", "reliability")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    env = load_transitions(DEMO).make_env()
    path: Path = tmp_path_factory.mktemp("policy") / "sac.zip"
    SAC("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=10).save(path)
    env.close()
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_report_with_a_policy_is_complete(tiny_model: Path, policy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    given = ("--model", tiny_model, "--policy", policy, "--output", folder)
    output = succeed("diagnose", DEMO, *given, *SMALL, SIZES)
    assert "λ for max_std" in output
    assert f"Report: {folder / 'report.html'}" in output
    files = {path.name for path in folder.iterdir()}
    pictures = {f"{n}.{s}" for n in NAMES for s in ("png", "csv")}
    assert files == {"report.html", "advice.json", *pictures}
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 7
    advice = json.loads((folder / "advice.json").read_text(encoding="utf-8"))
    assert advice["advice"][0]["topic"] == "horizon"
    assert advice["settings"]["rollouts"] == 20
    assert not any("optimistic" in note for note in advice["notes"])
    sources = {row["source"] for row in read(folder / "reliability.csv")}
    assert sources == {"held-out steps", "real policy steps"}
    growth = read(folder / "foresight.csv")
    assert {row["actions"] for row in growth} == {"dataset actions", "policy actions"}
    simulated = [row for row in growth if row["forecast"] == "simulator" and row["step"] == "1"]
    assert simulated
    assert all(float(row["90 %"]) < 1e-3 for row in simulated)


def test_data_that_cannot_be_diagnosed_are_refused_before_a_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(*arguments: object, **options: object) -> None:
        pytest.fail("A model was fitted.")

    monkeypatch.setattr("offline_envs.envs.assemble", fitted)
    obs, cut = np.linspace(-0.2, 0.2, 20).reshape(5, 4), np.array([False, False, False, True])
    rows: dict[str, Any] = {"observations": obs[:-1], "next_observations": obs[1:], "rewards": np.ones(4)}
    flags: dict[str, Any] = {"terminals": np.zeros(4, bool), "timeouts": cut}
    np.savez(tmp_path / "own.npz", actions=np.array([0, 1, 1, 0]), **rows, **flags)
    line = fail("diagnose", tmp_path / "own.npz", "--env-id", "CartPole-v1", "--output", tmp_path / "report")
    assert "A diagnosis needs continuous actions, a Box; those of the data are Discrete(2)" in line


def test_a_planner_is_followed_in_the_model_that_is_diagnosed(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    sizes = json.dumps({"rows": 50, "rollouts": 3, "starts": 3, "episodes": 1})
    planner = "cem:horizon=2,candidates=6,elites=2,iterations=1,particles=2"
    given = ("--model", tiny_model, "--policy", planner, "--output", folder)
    succeed("diagnose", DEMO, *given, *SMALL, sizes)
    sources = {row["source"] for row in read(folder / "reliability.csv")}
    assert "real policy steps" in sources


def test_without_policy_and_environment_the_report_says_what_is_missing(
    toy_dataset: str, toy_model: str, tmp_path: Path
) -> None:
    succeed(
        *("diagnose", toy_dataset, "--model", toy_model, "--termination", "never", *SMALL, SIZES),
        *("--output", tmp_path / "report"),
    )
    notes = " ".join(json.loads((tmp_path / "report" / "advice.json").read_text("utf-8"))["notes"])
    for part in ("held out is unknown", "No policy was given", "recorded episodes only"):
        assert part in notes


def test_what_cannot_be_diagnosed_is_refused(tiny_model: Path, policy: Path, tmp_path: Path) -> None:
    given = ("diagnose", DEMO, "--model", tiny_model, "--output", tmp_path / "report")
    assert "exists already" in fail("diagnose", DEMO, "--output", tmp_path)
    assert "Unknown setting of DiagnoseSettings 'size'" in fail(*given, "--options", '{"size": 1}')
    assert "train_horizon must be at most" in fail(*given, "--horizon", 2)
    assert "--seed 1 contradicts the seed in --options, 2" in fail(
        *given, "--seed", 1, "--options", '{"seed": 2}'
    )
    assert "There is no file" in fail(*given, "--policy", tmp_path / "none.zip")
    assert "Unknown propagation 'ts3'" in fail(*given, "--policy", "cem:propagation=ts3")
    assert "cannot be loaded as a policy of td3" in fail(*given, "--policy", policy, "--agent", "td3")
    pendulum = tmp_path / "pendulum.zip"
    TD3("MlpPolicy", "Pendulum-v1", policy_kwargs={"net_arch": [8]}, buffer_size=10).save(pendulum)
    message = fail(*given, "--policy", pendulum, "--agent", "td3")
    assert "observation space of shape (3,), but the dataset (9,)" in message
    assert "already fitted" in fail(*given, "--fit", '{"seed": 1}')
    assert not (tmp_path / "report").exists()

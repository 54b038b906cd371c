"""The environment of a dataset on the command line: what metadata may name, and what the user names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from offline_envs.data.minari_ids import EMBEDDED_ROOT
from offline_envs.runs import RunFolder
from tests.cli.runner import fail, succeed
from tests.runs.tiny import DEMO

TINY = json.dumps({"n_envs": 4, "transitions_per_gradient_step": 4, "final_episodes": 1, "eval_episodes": 1})
AGENT = json.dumps({"policy_kwargs": {"net_arch": [8]}, "batch_size": 16})
SIZES = json.dumps({"rows": 50, "rollouts": 5, "starts": 5, "episodes": 1})
ENV_ID = "InvertedDoublePendulum-v5"

Described = Callable[..., Path]


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """Copy the dataset in the package, with other entries in what it says of its environment."""

    def copy(**spec: object) -> Path:
        folder = Path(shutil.copytree(EMBEDDED_ROOT / DEMO, tmp_path / "copy" / DEMO))
        path = folder / "data" / "metadata.json"
        metadata = json.loads(path.read_text())
        metadata["env_spec"] = json.dumps({**json.loads(metadata["env_spec"]), **spec})
        path.write_text(json.dumps(metadata))
        return folder

    return copy


def train(dataset: object, model: Path, folder: Path, *more: object) -> tuple[object, ...]:
    given = ("--model", model, "--folder", folder, "--steps", 2, "--horizon", 2, "--eval-every", 2)
    return ("train", dataset, *given, "--settings", TINY, "--agent-options", AGENT, *more)


def test_code_that_a_dataset_names_is_refused(
    described: Described, stranger: Callable[[], bool], tiny_model: Path, tmp_path: Path
) -> None:
    dataset = described(entry_point="stranger:Twin")
    for command in (
        train(dataset, tiny_model, tmp_path / "run"),
        ("evaluate", "uniform", "--dataset", dataset),
    ):
        message = fail(*command)
        assert "make InvertedDoublePendulum-v5 by 'stranger:Twin'" in message
        assert "--env-id" in message
        assert "--trust-dataset" in message
    assert not (tmp_path / "run").exists()
    assert f"{ENV_ID}, not made as its metadata say (pass --env-id" in succeed("info", dataset)
    assert not stranger()


def test_a_diagnosis_goes_without_an_environment_that_is_not_trusted(
    described: Described, stranger: Callable[[], bool], tiny_model: Path, tmp_path: Path
) -> None:
    dataset, folder = described(entry_point="stranger:Twin"), tmp_path / "report"
    given = ("--model", tiny_model, "--policy", "uniform", "--output", folder, "--horizon", 3)
    succeed("diagnose", dataset, *given, "--options", SIZES, "--train-horizon", 2)
    notes = json.loads((folder / "advice.json").read_text())["notes"]
    assert any("not run in a real environment" in note and "stranger:Twin" in note for note in notes)
    assert not stranger()


def test_the_users_word_goes_on(
    described: Described, stranger: Callable[[], bool], tiny_model: Path, tmp_path: Path
) -> None:
    dataset = described(entry_point="stranger:Twin")
    evaluate = ("evaluate", "uniform", "--episodes", 1, "--dataset", dataset)
    assert "1 episodes of" in succeed(*evaluate, "--env-id", ENV_ID)
    succeed(*train(dataset, tiny_model, tmp_path / "named", "--env-id", ENV_ID))
    assert not stranger()
    assert "1 episodes of" in succeed(*evaluate, "--trust-dataset")
    assert stranger()
    succeed(*train(dataset, tiny_model, tmp_path / "trusted", "--trust-dataset"))


def test_an_environment_that_cannot_be_made_is_one_line(
    described: Described, tiny_model: Path, tmp_path: Path
) -> None:
    monitor = {"name": "Monitor", "entry_point": "stable_baselines3.common.monitor:Monitor", "kwargs": None}
    dataset = described(additional_wrappers=[monitor])
    command = train(dataset, tiny_model, tmp_path / "run")
    assert "in 'Monitor', made by" in fail(*command)
    assert "ValueError: Monitor wrapper does not inherit" in fail(*command, "--trust-dataset")
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_the_keywords_of_its_environment(
    described: Described, tiny_model: Path, tmp_path: Path
) -> None:
    keywords = ("--env-kwargs", '{"healthy_reward": 9.0}')
    command = train(described(), tiny_model, tmp_path, "--env-id", ENV_ID, *keywords)
    succeed(*command)
    settings = RunFolder(tmp_path / "seed-0").settings()
    assert (settings.env_id, settings.env_kwargs) == (ENV_ID, {"healthy_reward": 9.0})
    environment = settings.named_environment()
    assert isinstance(environment, EnvSpec)
    assert environment.kwargs["healthy_reward"] == 9.0
    assert "Give env_id=" in fail(*train(DEMO, tiny_model, tmp_path / "without", *keywords))


@pytest.mark.filterwarnings("ignore:.*Ant-v4 is out of date:DeprecationWarning")
def test_keywords_of_the_environment(tmp_path: Path) -> None:
    """D4RL's ant has 111 columns, of which 84 are contact forces."""
    zeros = np.zeros((6, 111), np.float32)
    arrays = {"obs": zeros, "next_obs": zeros, "actions": np.zeros((6, 8)), "rewards": np.zeros(6)}
    arrays |= {"terminated": np.zeros(6, bool), "episode_starts": np.array([0, 3])}
    path = tmp_path / "ant.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    assert "Ant-v4 has 27" in fail("info", path, "--env-id", "Ant-v4")
    forces = ("--env-id", "Ant-v4", "--env-kwargs", '{"use_contact_forces": true}')
    assert "Ant-v4" in succeed("info", path, *forces)
    output = succeed("evaluate", "uniform", "--dataset", path, *forces, "--episodes", 1)
    assert "dataset: mean, best" in output
    assert "Give env_id= (--env-id)" in fail("info", path, "--env-kwargs", '{"a": 1}')
    assert "--env-kwargs must be" in fail("fit", path, "--env-kwargs", "[1]")

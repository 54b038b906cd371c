import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stable_baselines3 import SAC

from offline_envs.cli.film import _draw_without_display
from offline_envs.data import load_transitions
from offline_envs.dynamics import EnsembleDynamics, EnsembleSettings, save_model
from offline_envs.runs import RunFolder, RunSettings
from tests.cli.runner import fail, succeed
from tests.drawing import draws, draws_positions
from tests.runs.tiny import DEMO

__all__ = ["draws", "draws_positions"]


@pytest.fixture(autouse=True)
def own_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets it for its process."""
    monkeypatch.setenv("MUJOCO_GL", os.environ.get("MUJOCO_GL", "egl"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with the weights that it began with."""
    settings = EnsembleSettings(n_members=2, n_elites=1, hidden=(4,))
    save_model(tmp_path / "model", EnsembleDynamics(9, 1, settings=settings).eval())
    return tmp_path / "model"


def frames_of(path: Path) -> int:
    with Image.open(path) as film:
        return int(getattr(film, "n_frames"))  # noqa: B009  of some formats only


def positions(obs: Any) -> list[float]:
    angles = np.arctan2(np.asarray(obs[1:3], float), np.asarray(obs[3:5], float))
    return [float(obs[0]), *angles.tolist()]


def test_the_model_repeats_an_episode_beside_its_recording(
    draws_positions: list[Any], model: Path, tmp_path: Path
) -> None:
    demo, path = load_transitions(DEMO), tmp_path / "film.gif"
    output = succeed("film", DEMO, "--model", model, "--output", path, "--every", 1, "--steps", 3)
    episode = int(demo.episode_returns.argmax())
    assert f"Episode {episode} of" in output.replace("\n", " ")
    assert "recorded" in output
    first = int(demo.episode_starts[episode])
    rows = [demo.obs[first], *demo.next_obs[first : first + 3]]
    np.testing.assert_allclose(draws_positions[1::2], [positions(row) for row in rows], atol=1e-6)
    np.testing.assert_allclose(draws_positions[0], draws_positions[1], atol=1e-12)  # one start
    assert frames_of(path) <= 4


def test_a_policy_acts_in_both(draws_positions: list[Any], model: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    call = ("film", DEMO, "--model", model, "--output", path, "--every", 1, "--steps", 3, "--episode", 0)
    output = succeed(*call, "--policy", "uniform")
    assert "simulator" in output
    np.testing.assert_allclose(draws_positions[0], draws_positions[1], atol=1e-6)
    real = draws_positions[1::2]
    draws_positions.clear()
    succeed(*call, "--policy", "uniform", "--real-only")
    np.testing.assert_array_equal(draws_positions, real)  # the same numbers, whatever the model drew
    plan = "cem:horizon=2,candidates=8,elites=2,iterations=1,particles=2"
    assert "cem" in succeed(*call, "--policy", plan)
    assert path.is_file()


def test_without_a_model_only_what_is_real_is_shown(draws_positions: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    call = ("film", DEMO, "--output", path, "--every", 1, "--steps", 2, "--real-only")
    output = succeed(*call)
    assert "│ model" not in output
    assert len(draws_positions) == 3
    assert "simulator" in succeed(*call, "--policy", "uniform", "--episode", 1)
    assert len(draws_positions) == 6


@pytest.mark.usefixtures("draws_positions")
def test_the_folder_of_a_run_is_its_policy_and_its_model(model: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create(RunSettings(dataset=DEMO, agent="sac"))
    assert "holds no policy yet" in fail("film", DEMO, "--policy", run.path, "--output", tmp_path / "f.gif")
    run.policies.mkdir(exist_ok=True)
    env = load_transitions(DEMO).make_env()
    SAC("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=1, device="cpu").save(
        run.policies / "last_policy.zip"
    )
    model.rename(run.model)
    output = succeed(
        "film", DEMO, "--policy", run.path, "--output", tmp_path / "film.gif", "--steps", 2, "--episode", 0
    )
    assert "last_policy.zip" in output.replace("\n", "")


def test_discrete_actions_are_refused_before_any_work(tmp_path: Path) -> None:
    obs = np.arange(8.0).reshape(2, 4) / 100
    data: dict[str, Any] = {"observations": obs, "next_observations": obs + 0.04, "rewards": np.ones(2)}
    flags: dict[str, Any] = {"terminals": np.array([False, True]), "actions": np.array([0, 1])}
    np.savez(tmp_path / "cart.npz", **data, **flags)
    call = ("film", tmp_path / "cart.npz", "--env-id", "CartPole-v1", "--output", tmp_path / "film.gif")
    assert "film needs continuous actions, a Box; those of the data are Discrete(2)" in fail(*call)
    assert "film needs continuous actions" in fail(*call, "--policy", "uniform")


def test_what_cannot_be_filmed_is_refused_before_any_work(tmp_path: Path, toy_dataset: Path) -> None:
    path = tmp_path / "film.gif"
    assert "must end in .gif or .mp4" in fail("film", DEMO, "--output", tmp_path / "film.webm")
    assert "--episode must be best or a number" in fail("film", DEMO, "--output", path, "--episode", "last")
    assert "cannot be drawn" in fail("film", toy_dataset, "--output", path)
    assert "There is no file" in fail("film", DEMO, "--output", path, "--policy", "none.zip", "--real-only")
    assert "contradicts the model in --learned-kwargs" in fail(
        "film", DEMO, "--output", path, "--model", "one", "--learned-kwargs", '{"model": "other"}'
    )
    assert list(tmp_path.glob("*.gif")) == []


def test_a_machine_without_a_display_draws_with_egl(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.platform", "linux")
    _draw_without_display()
    assert os.environ["MUJOCO_GL"] == "egl"
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    _draw_without_display()
    assert os.environ["MUJOCO_GL"] == "osmesa"
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setenv("DISPLAY", ":0")
    _draw_without_display()
    assert "MUJOCO_GL" not in os.environ


@pytest.mark.usefixtures("draws")
def test_a_film_with_real_pictures(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    succeed("film", DEMO, "--output", path, "--every", 2, "--steps", 2, "--real-only", "--height", 48)
    with Image.open(path) as film:
        assert film.size == (48, 78)
        assert len(set(film.convert("L").crop((0, 30, 48, 78)).tobytes())) > 5  # no blank picture


def test_what_cannot_be_simulated_is_refused_before_a_model_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unexpected(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was made")

    monkeypatch.setattr("offline_envs.envs.entry_points.assemble", unexpected)
    monkeypatch.setattr("offline_envs.simulator.layouts.VELOCITY_LIMIT", 0.0)
    call = ("film", DEMO, "--output", tmp_path / "film.gif", "--policy")
    assert "begins with a velocity that was clipped" in fail(*call, "cem:horizon=2")

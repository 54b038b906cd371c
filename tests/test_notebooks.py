"""Notebooks run from the first cell to the last, with the tiny budget that they are committed with."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[tuple[str, str]]:
    """Id and text of each cell of a kind."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["id"], "".join(cell["source"])) for cell in found if cell["cell_type"] == kind]


def execute(path: Path) -> dict[str, Any]:
    """Run the code cells in order in one namespace, as a kernel does; a traceback names the cell."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell, code in cells(path, "code"):
        exec(compile(code, f"{path.name}, cell {cell!r}", "exec"), names)
    return names


@pytest.fixture
def closed_figures() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.usefixtures("closed_figures")
@pytest.mark.filterwarnings("ignore:On the holdout, the model predicts")  # after a single epoch
def test_from_a_dataset_to_a_policy() -> None:
    names = execute(FOLDER / "dataset_to_policy.ipynb")
    assert len(names["data"]) == 20_000
    assert names["agent"].num_timesteps == 150
    assert names["reward"] == pytest.approx(names["info"]["raw_reward"] - names["info"]["penalty"])
    assert all(10 < score < 9_400 for score in (names["trained"].mean, names["uniform"].mean))
    assert len(plt.get_fignums()) == 2


@pytest.mark.usefixtures("closed_figures")
@pytest.mark.filterwarnings("ignore:On the holdout, the model predicts")
def test_is_the_model_good_enough() -> None:
    """The simulator retraces the recording, and the model does not; the horizon is that of the advice."""
    names = execute(FOLDER / "is_the_model_good_enough.ipynb")
    recorded, simulated, imagined = names["shots"]
    assert abs(simulated.obs - recorded.obs).max() < 1e-4
    assert abs(imagined.obs - recorded.obs[: len(imagined.obs)]).max() > 0.1
    (advice,) = [advice for advice in names["advise"](names["diagnosis"]) if advice.topic == "horizon"]
    assert int(re.findall(r"\d+", advice.value)[0]) == names["HORIZON"]
    assert {len(median) for median in names["median"].values()} == {names["SIZE"]["horizon"]}
    assert len(plt.get_fignums()) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_with_its_tiny_budget(path: Path) -> None:
    """Outputs would be those of a policy that is no good, and change with every run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "".join(code[0]["source"]).startswith("TINY = True  # False: ")
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    links = [link for _, text in cells(path, "markdown") for link in re.findall(r"\]\(([^):\s]+)\)", text)]
    assert [link for link in links if not (FOLDER / link).exists()] == []


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["dataset_to_policy", "is_the_model_good_enough"]

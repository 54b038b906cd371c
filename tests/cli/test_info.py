from pathlib import Path

from tests.cli.runner import fail, succeed
from tests.runs.test_plots import check_picture
from tests.runs.tiny import DEMO


def test_info_of_the_dataset_in_the_package() -> None:
    output = succeed("info", DEMO)
    assert "InvertedDoublePendulum-v5" in output
    assert "20,000 in 600 episodes" in output
    assert "█" in output


def test_info_of_a_file(toy_dataset: str, tmp_path: Path) -> None:
    """Episode e has the return −3 − 3e."""
    output = succeed("info", toy_dataset, "--plot", tmp_path / "new/returns.png")
    assert "mean -6.0 ± 2.4, best -3.0" in output
    assert "from -4.00 to -0.00" in output
    assert "unknown (pass --env-id)" in output
    check_picture(tmp_path / "new/returns.png")


def test_datasets_that_cannot_be_used(toy_dataset: str, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("text")
    assert "missing.npz" in fail("info", tmp_path / "missing.npz")
    assert "text.npz" in fail("info", tmp_path / "text.npz")
    assert "Nosuch-v0" in fail("info", toy_dataset, "--env-id", "Nosuch-v0")
    assert "Hopper-v5" in fail("info", toy_dataset, "--env-id", "Hopper-v5")

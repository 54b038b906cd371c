import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "dataset_loading.py"


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads its memory from /proc")
def test_the_benchmark_prints_a_row_for_every_reader(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("dataset_loading", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.setattr(benchmark, "measured", benchmark.cost_of)  # a process a reader takes seconds to start
    benchmark.main(rows=50, episode_length=20)
    table = capsys.readouterr().out
    assert "Loading 50 transitions, 17+6 dimensions" in table
    assert all(reader in table for reader in benchmark.READERS)

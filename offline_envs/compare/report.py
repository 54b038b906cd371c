"""The files of a comparison: `comparison.json` and `comparison.png`."""

import json
import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offline_envs.compare.comparison import Comparison
from offline_envs.evaluation.off_policy import Estimate
from offline_envs.files import new_file, write_text

REPORT_FILE, PLOT_FILE = "comparison.json", "comparison.png"

PANEL = (2.6, 0.28)
"""Width of a panel, and height of a policy in it [inches]."""

COLUMNS = 4
"""Most panels side by side, so that a page shows them at a readable size."""

DPI = 110


def write_comparison(found: Comparison, folder: Path) -> None:
    """Write figures and plot, each replaced atomically.

    Args:
        found: The comparison.
        folder: Its folder.
    """
    write_text(folder / REPORT_FILE, json.dumps(figures(found), indent=2, ensure_ascii=False) + "\n")
    with new_file(folder / PLOT_FILE) as part:
        _plot(found).savefig(part, format="png", dpi=DPI)


def figures(found: Comparison) -> dict[str, Any]:
    """Everything that was found, as JSON values."""
    return {
        "policies": [
            {
                "name": judged.name,
                "run": str(judged.folder.path),
                "policy": judged.policy_file.name,
                "real_return": judged.real_return,
                "estimates": {
                    name: {**estimate.to_json(), "estimates": estimate.estimates}
                    for name, estimate in found.estimates[judged.name].items()
                },
            }
            for judged in found.policies
        ],
        "rules": [
            {
                "rule": choice.rule,
                "picked": choice.picked,
                "real_return": choice.real_return,
                "regret": {str(k): value for k, value in choice.regrets.items()},
                "rank_correlation": choice.correlation,
                "scores": dict(choice.scores),
            }
            for choice in found.choices
        ],
        "verdict": found.verdict,
        "dataset_returns": {"worst": found.returns.worst, "best": found.returns.best},
    }


def _plot(found: Comparison) -> Figure:
    """One panel an estimator, one line a policy, the truly best at the top where that is known."""
    order = sorted(found.policies, key=lambda p: (p.real_return is not None, p.real_return or 0.0))
    names = [judged.name for judged in order]
    estimators = list(dict.fromkeys(name for each in found.estimates.values() for name in each))
    columns = min(COLUMNS, len(estimators) + 1)
    rows = math.ceil((len(estimators) + 1) / columns)
    size = (PANEL[0] * columns + 1.0, (PANEL[1] * len(names) + 0.9) * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle("What each estimator says of each policy")
    real, *panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    for unused in panels[len(estimators) :]:
        unused.remove()
    panels = panels[: len(estimators)]
    known = [(name, p.real_return) for name, p in zip(names, order, strict=True) if p.real_return is not None]
    real.plot([value for _, value in known], [names.index(name) for name, _ in known], "o", color="C2")
    real.set(title="real return", yticks=range(len(names)), yticklabels=names)
    for panel, estimator in zip(panels, estimators, strict=True):
        each = [found.estimates[name].get(estimator) for name in names]
        _draw(panel, estimator, each)
    for panel in (real, *panels):
        panel.grid(alpha=0.25)
        panel.tick_params(labelsize="small")
    return figure


def _draw(panel: Axes, title: str, estimates: list[Estimate | None]) -> None:
    panel.set(title=title)
    for height, estimate in enumerate(estimates):
        if estimate is None:
            continue
        panel.plot(estimate.value, height, "o", color="C0", markersize=4)
        if estimate.interval is not None:
            panel.plot(estimate.interval, (height, height), "-", color="C0", lw=1.2, alpha=0.6)

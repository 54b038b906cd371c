"""Plot of the errors' correlation in time, and of what the past explains."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from offline_envs.diagnose.plot_style import log_axis, panels, save

TITLE = "Do observations show the whole state?"
MAX_OUTPUTS = 40  # more would not fit on one axis
MAX_LABELS = 8


def plot_markov(
    names: Sequence[str], correlation: Tensor, bound: float, gains: Mapping[int, Tensor], path: Path
) -> None:
    """Draw the correlation by output with the bound of chance, and the gain by length of the past.

    Args:
        names: Names of the outputs, o of them.
        correlation: Correlation with the step before, `(o,)`.
        bound: What chance gives.
        gains: Number of observations → explained share, `(o,)`.
        path: The PNG file.
    """
    figure, (left, right) = panels(1, 2, TITLE, height=4.2)
    shown = min(len(names), MAX_OUTPUTS)
    left.plot(correlation[:shown], np.arange(shown), "o")
    for edge in (-bound, bound):
        left.axvline(edge, ls="--", color="0.2", lw=1)
    left.set(title="errors and those of the step before", xlabel="correlation (between the lines: chance)")
    left.set_yticks(np.arange(shown), names[:shown], fontsize="small")
    left.set_xlim(-1, 1)
    left.invert_yaxis()
    histories = [*gains]
    order = np.argsort([-float(max(gain[i] for gain in gains.values())) for i in range(len(names))])
    for place, i in enumerate(order.tolist()):
        label = names[i] if place < MAX_LABELS else None
        right.plot(histories, [float(gain[i]) for gain in gains.values()], "o-", ms=4, label=label)
    log_axis(right, "x", histories)
    right.set_xticks(histories, [str(k) for k in histories])
    right.set_ylim(min(-0.05, *(float(gain.min()) for gain in gains.values())), 1.05)
    right.set(title="what the past explains", xlabel="observations, k", ylabel="share of the squared errors")
    right.legend(fontsize="small")
    save(figure, path)

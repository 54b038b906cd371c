"""`Safety`: keeps the last weights with a good holdout error, and reverts to them for good."""

import math
import warnings

import torch
from torch import Tensor

from offline_envs.dynamics import EnsembleDynamics


class Safety:
    """Stops an adversary whose model leaves the data.

    RAMBO's release has no such stop; its users report losses that blow up.

    Args:
        ensemble: The networks that it watches.
        holdout_mse: Their error before the first change, one value an elite, `(E,)`.
        tolerance: How many times that error an elite may have.

    Attributes:
        first: `holdout_mse`.
        good: Weights at the last check that passed, by name.
        ratio: Largest error of an elite at the last check, relative to its first.
        stopped: Reason why the adversary stopped, or "" while it runs.
    """

    def __init__(self, ensemble: EnsembleDynamics, holdout_mse: Tensor, *, tolerance: float) -> None:
        self._ensemble, self._tolerance = ensemble, tolerance
        self.first = holdout_mse.clamp(min=torch.finfo(torch.float32).tiny)
        self.good = {name: value.clone() for name, value in ensemble.state_dict().items()}
        self.ratio = 1.0
        self.stopped = ""

    def check_holdout(self, holdout_mse: Tensor) -> None:
        """Keep the current weights as good ones, or stop and restore the last good ones.

        Warns:
            UserWarning: The adversary stopped, and why.
        """
        self.ratio = float((holdout_mse / self.first).max())
        if not self.ratio <= self._tolerance:  # also when it is NaN
            self.stop(
                f"the holdout error of an elite is {self.ratio:.3g} times what it was before, more than "
                f"tolerance={self._tolerance:g}"
            )
            return
        for name, value in self._ensemble.state_dict().items():
            self.good[name].copy_(value)

    def check_gradient(self, norm: Tensor) -> bool:
        """Return whether a gradient of that norm may be followed; stop if it is not finite.

        Warns:
            UserWarning: The adversary stopped.
        """
        if not math.isfinite(norm.item()):
            self.stop(f"the norm of the gradient is {norm.item()}")
        return not self.stopped

    def stop(self, reason: str) -> None:
        """Restore the last good weights, for good.

        Warns:
            UserWarning: The reason.
        """
        self.stopped = reason
        self._ensemble.load_state_dict(self.good)
        warnings.warn(
            f"The adversary stopped: {reason}. The model is back at its last good weights and stays there. "
            "Try a smaller adv_weight or learning_rate.",
            stacklevel=2,
        )

"""Prediction of many rows in chunks, to bound the memory."""

from collections.abc import Iterator

from torch import Tensor

from offline_envs.dynamics import DynamicsModel, Prediction

CHUNK = 1024
"""Rows predicted together."""


def predict_in_chunks(
    ensemble: DynamicsModel, obs: Tensor, actions: Tensor
) -> Iterator[tuple[slice, Prediction]]:
    """Predict `m` pairs of observation and action, `CHUNK` at a time and in order.

    Args:
        ensemble: The model, on any device.
        obs: Observations, float32 `(m, d)`, on any device.
        actions: Actions, float32 `(m, k)`, on any device.

    Yields:
        Rows of a chunk and the prediction of every member for them, on the model's device.
    """
    device = ensemble.elites.device
    for start in range(0, len(obs), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows, ensemble.predict(obs[rows].to(device), actions[rows].to(device))

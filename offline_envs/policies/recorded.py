"""`RecordedActions`: a policy that replays recorded actions."""

from torch import Tensor

from offline_envs.errors import SettingsError


class RecordedActions:
    """Replays actions in order, whatever the observations: a policy without feedback.

    Args:
        actions: Actions of `n` rows at `h` steps, `(n, h, k)`, on any device.
    """

    def __init__(self, actions: Tensor) -> None:
        self._actions = actions
        self._next = 0

    def __call__(self, obs: Tensor, /) -> Tensor:
        """The actions of the next step, `(n, k)`, on the device of `obs`.

        Raises:
            SettingsError: All have been taken.
        """
        if self._next >= self._actions.shape[1]:
            raise SettingsError(f"All {self._actions.shape[1]} recorded actions of each row have been taken.")
        self._next += 1
        return self._actions[:, self._next - 1].to(obs.device)

"""`Episodes`: the state of many imagined episodes, as tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor

from offline_envs.envs.assembly import Assembly
from offline_envs.errors import SettingsError
from offline_envs.mdp import step_infos

Outcome = tuple[tuple[Tensor, Tensor, Tensor, Tensor], dict[str, Tensor]]
"""Observations `(n, d)`, rewards, terminations and truncations `(n,)`; and the infos of a step."""

_MONITOR = "monitor."
"""Prefix of the monitor's own tensors in the state."""


class Episodes:
    """`n` imagined episodes, whose state is tensors on the model's device that are written in place.

    It is the one state machine under every learned environment. `advance` and `restart` read no value on
    the host and keep every tensor at its address, so both can be captured as graphs. Their results share no
    memory with the state.

    Args:
        n: Number of episodes.
        assembly: The parts of their environment.
        max_steps: Steps after which an episode is truncated, or infinity.
        reports: Whether a step reports infos.

    Attributes:
        generator: Source of all random numbers.
        obs: Current observations, float32 `(n, d)`.
        elapsed: Steps taken in each episode, int64 `(n,)`.
        exploded: Rows whose last prediction was rejected, bool `(n,)`.
        replaced: Rows whose last reward was a fixed one rather than the model's, bool `(n,)`.
        ends: Rows that the next step terminates in any case, bool `(n,)`.
        cuts: Rows that it truncates unless they terminate, bool `(n,)`. Set just before that step, they are
            no state that is saved.
        total_exploded: Number of rejected predictions in running episodes, int64 scalar.
        monitor: The method's monitor of the episodes, or None.
    """

    def __init__(self, n: int, assembly: Assembly, *, max_steps: float, reports: bool) -> None:
        self._mdp = assembly.mdp
        self._starts = assembly.starts
        self._reports = reports
        device = assembly.starts.obs.device
        self._limit = torch.zeros((), dtype=torch.int64, device=device)
        self.max_steps = max_steps
        self.generator = torch.Generator(device)
        self.obs = torch.zeros((n, assembly.transitions.obs_dim), device=device)
        self.elapsed = torch.zeros(n, dtype=torch.int64, device=device)
        self._over, self.exploded, self.replaced, self.ends, self.cuts = (
            torch.zeros(n, dtype=torch.bool, device=device) for _ in range(5)
        )
        self.total_exploded = torch.zeros((), dtype=torch.int64, device=device)
        self._kept: Tensor | None = None
        self._rows = torch.zeros_like(self.elapsed) if assembly.mdp.replay is not None else None
        self.monitor = assembly.method.monitor(n, device)

    @property
    def max_steps(self) -> float:
        """Steps after which an episode is truncated, or infinity."""
        return self._max_steps

    @max_steps.setter
    def max_steps(self, steps: float) -> None:
        self._max_steps = steps
        self._limit.fill_(min(steps, torch.iinfo(torch.int64).max))  # in place, as a captured graph reads it

    @torch.no_grad()  # a known function may be a network
    def advance(self, actions: Tensor) -> Outcome:
        """Take the next step of every episode, including those that are over.

        Args:
            actions: Actions, float32 `(n, k)`.
        """
        step = self._mdp.step(self.obs, actions, self.generator, self._kept, self._rows)
        terminated = step.terminated | self.ends
        cut = self.cuts & ~terminated
        self.ends.zero_()
        self.cuts.zero_()
        self.obs.copy_(step.next_obs)
        self.exploded.copy_(step.exploded)
        self.replaced.copy_(step.replaced)
        self.total_exploded += (step.exploded & ~self._over).sum()
        self.elapsed += 1
        if self._rows is not None and self._mdp.replay is not None:
            self._rows.copy_(self._mdp.replay.following(self._rows))
        truncated = step.truncated | cut | (self.elapsed >= self._limit)
        self._over |= terminated | truncated
        if self.monitor is not None:
            self.monitor.count(step, terminated | truncated)
        infos = step_infos(step, self._mdp.transform) if self._reports else {}
        return (step.next_obs, step.reward, terminated, truncated), infos

    def blank_infos(self) -> dict[str, Tensor]:
        """The infos of a step that was not taken: NaN, or False or 0, for what `advance` would report."""
        actions = torch.zeros((len(self.obs), self._mdp.members.model.action_dim), device=self.obs.device)
        unused = torch.Generator(self.obs.device)  # the episodes' random numbers must not depend on this
        step = self._mdp.step(self.obs, actions, unused, self._kept, self._rows)
        infos = step_infos(step, self._mdp.transform)
        return {
            name: torch.full_like(value, torch.nan if value.is_floating_point() else 0)
            for name, value in infos.items()
        }

    def restart(self, mask: Tensor, given: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
        """Begin an episode in some rows; the numbers that are drawn do not depend on which.

        Args:
            mask: The rows, bool `(n,)`.
            given: Observations to start from, `(n, d)`; None draws them.
            rows: Their rows of the dataset, int64 `(n,)`, where columns are replayed.

        Returns:
            A copy of all observations, `(n, d)`.
        """
        if given is None:
            index = self._starts.draw_index(len(mask), self.generator)
            obs, rows = self._starts.obs[index], self._starts.rows_of(index)
        else:
            obs = given
        if self._rows is not None:
            assert rows is not None  # given observations without rows were refused
            self._rows.copy_(torch.where(mask, rows, self._rows))
        self.obs.copy_(torch.where(mask[:, None], obs, self.obs))
        self.elapsed.masked_fill_(mask, 0)
        self._over.masked_fill_(mask, False)
        self._keep(self._mdp.begin(len(mask), self.generator), mask)
        if self.monitor is not None:
            self.monitor.reset(mask)
        return self.obs.clone()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the state, by name: `load_state_dict` continues with the same numbers."""
        state = {name: value.clone() for name, value in self._state().items()}
        state["generator"] = self.generator.get_state()
        if self._kept is not None:
            state["kept"] = self._kept.clone()
        if self.monitor is not None:
            state |= {_MONITOR + name: value for name, value in self.monitor.state_dict().items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state_dict` gave for as many episodes of the same environment, in place.

        Raises:
            SettingsError: The state of another method, which has other parts, or of another `member`.
        """
        if lacking := self.state_dict().keys() - state.keys() - {"kept"}:
            raise SettingsError(
                f"The state is that of another environment: it lacks {', '.join(sorted(lacking))}."
            )
        keeps = self._mdp.begin(len(self.obs), self.generator) is not None  # its numbers are replaced below
        if keeps != ("kept" in state):
            kinds = "one elite for an episode", "another elite for each step"
            drawn, wanted = kinds if keeps else kinds[::-1]
            raise SettingsError(
                f"The state is that of an environment that draws {wanted}, and this one draws {drawn}. "
                "Make it with the same member=."
            )
        for name, value in self._state().items():
            value.copy_(state[name])
        self.generator.set_state(state["generator"].cpu())
        if "kept" in state:
            everywhere = torch.ones_like(self._over)
            self._keep(state["kept"].to(self.obs.device, copy=True), everywhere)
        if self.monitor is not None:
            own = {name.removeprefix(_MONITOR): v for name, v in state.items() if name.startswith(_MONITOR)}
            self.monitor.load_state_dict(own)

    def _state(self) -> dict[str, Tensor]:
        return {
            "obs": self.obs,
            "elapsed": self.elapsed,
            "over": self._over,
            "exploded": self.exploded,
            "replaced": self.replaced,
            "ends": self.ends,
            "total_exploded": self.total_exploded,
            **({} if self._rows is None else {"rows": self._rows}),
        }

    def _keep(self, drawn: Tensor | None, mask: Tensor) -> None:
        """Let the rows of `mask` keep what was drawn, in place: a captured graph holds its address."""
        if drawn is None:
            return
        if self._kept is None:
            self._kept = drawn
        else:
            rows = mask.view(-1, *[1] * (drawn.ndim - 1))
            self._kept.copy_(torch.where(rows, drawn, self._kept))

"""`LearnedParts`: what single and vector environments of a learned MDP have in common."""

import torch

from offline_envs.data import Transitions
from offline_envs.dynamics import DynamicsModel
from offline_envs.envs.assembly import Assembly
from offline_envs.envs.episodes import Episodes
from offline_envs.mdp import LearnedMDP
from offline_envs.methods import Method, Monitor


class LearnedParts:
    """The parts of a learned environment and what its episodes have counted, to read.

    The parts are fixed when the environment is made: assigning another one would change what is reported, not
    what is stepped, so it is an error.
    """

    _assembly: Assembly
    _episodes: Episodes

    @property
    def assembly(self) -> Assembly:
        """All parts."""
        return self._assembly

    @property
    def mdp(self) -> LearnedMDP:
        """The MDP."""
        return self._assembly.mdp

    @property
    def transitions(self) -> Transitions:
        """The dataset."""
        return self._assembly.transitions

    @property
    def ensemble(self) -> DynamicsModel:
        """The model, all of its members."""
        return self._assembly.model

    @property
    def method(self) -> Method:
        """The method that turns the model into the MDP."""
        return self._assembly.method

    @property
    def device(self) -> torch.device:
        """Device of the model, and of tensors that are returned."""
        return self._assembly.starts.obs.device

    @property
    def halts(self) -> bool:
        """Whether unknown pairs of obs and action end an episode."""
        return self.method.halts

    @property
    def monitor(self) -> Monitor | None:
        """The method's monitor of the episodes, e.g. a `HaltCounter`, or None."""
        return self._episodes.monitor

    @property
    def n_exploded(self) -> int:
        """Number of steps whose prediction was rejected so far, over all rows whose episode was running."""
        return int(self._episodes.total_exploded)

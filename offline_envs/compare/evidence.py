"""`Evidence`: what several estimators of one policy share, computed when first asked for and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from offline_envs.compare.run_policies import RunPolicy
from offline_envs.compare.settings import CompareSettings
from offline_envs.data import Transitions
from offline_envs.dynamics import read_model_card
from offline_envs.envs import ModelOptions, assemble
from offline_envs.evaluation.off_policy import (
    Bootstrap,
    EpisodeGrid,
    EpisodeValues,
    Estimate,
    ImaginedReturns,
    SmoothedPolicy,
    WeightedEpisodes,
    estimate_of_values,
    expected_values,
    fit_behaviour,
    fit_q,
    imagined_returns,
    initial_values,
    log_prob_of_steps,
)
from offline_envs.files import cached, key_of, read_tensors, write_tensors
from offline_envs.policies import Policy, as_policy


@dataclass(frozen=True)
class Evidence:
    """All that estimators read of one policy.

    Attributes:
        judged: The policy that is judged, with its run.
        transitions: The dataset.
        settings: How policies are compared.
        work: Folder of what is kept, so that an interrupted comparison need not compute it again.
    """

    judged: RunPolicy
    transitions: Transitions
    settings: CompareSettings
    work: Path

    @property
    def model(self) -> str | None:
        """Folder of the model that judges the policy; None if there is none."""
        return self.settings.model or self.judged.model

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that the estimates depend on, as JSON values."""
        weights = None if self.model is None else read_model_card(self.model)["weights_sha256"]
        return {
            "policy": self.judged.policy_checksum,
            "data": self.transitions.fingerprint,
            "weights": weights,
            "termination": self.judged.settings.termination,
            "settings": {n: v for n, v in self.settings.to_json().items() if n != "model"},
        }

    @cached_property
    def policy(self) -> Policy:
        """The policy's deterministic actions."""
        return as_policy(self.judged.load_policy(self.transitions), self.transitions.agent_spaces)

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """How intervals are made."""
        return self.settings.bootstrap_settings()

    @cached_property
    def _grid(self) -> EpisodeGrid:
        return EpisodeGrid.of(self.transitions, self.settings.horizon)

    @cached_property
    def _smoothed(self) -> SmoothedPolicy:
        return SmoothedPolicy.of(self.policy, self.transitions, self.settings.bandwidth)

    @cached_property
    def episodes(self) -> WeightedEpisodes:
        """Recorded episodes with the ratios of the blurred policy's and the behaviour's densities."""
        ratios = log_prob_of_steps(self._smoothed, self.transitions) - self._behaviour_log_prob
        return WeightedEpisodes.of(self.transitions, ratios, gamma=self.settings.gamma, grid=self._grid)

    @cached_property
    def _behaviour_log_prob(self) -> Tensor:
        """Log-density of the recorded actions; it is the same for all policies."""
        chosen = self.settings.behaviour_settings()

        def make() -> dict[str, Tensor]:
            density = fit_behaviour(self.transitions, chosen)
            return {"log_prob": log_prob_of_steps(density, self.transitions)}

        identity = {"data": self.transitions.fingerprint, "settings": chosen.to_json()}
        return self._kept("behaviour", identity, make)["log_prob"]

    @cached_property
    def _q(self) -> dict[str, Tensor]:
        """The Q-function's values of all steps, and by each critic of initial observations."""
        chosen, seed = self.settings.fitted_q_settings(), self.settings.seed
        identity = {
            **{name: self.identity[name] for name in ("policy", "data")},
            "settings": chosen.to_json(),
            "smoothed": [self.settings.bandwidth, seed, self.settings.horizon],
        }

        def make() -> dict[str, Tensor]:
            t = self.transitions
            q = fit_q(t, self.policy, chosen)
            v, after = (
                expected_values(q, self._smoothed, obs, seed=seed)
                for obs in (t.obs, t.next_obs[self._grid.last_rows])
            )
            initial = initial_values(q, t, self.policy)
            return {"q": q(t.obs, t.actions), "v": v, "after": after, "initial": initial}

        return self._kept("q", identity, make)

    @property
    def fitted_q(self) -> Estimate:
        """The value by fitted Q evaluation."""
        return estimate_of_values(self._q["initial"], gamma=self.settings.gamma, bootstrap=self.bootstrap)

    @property
    def values(self) -> EpisodeValues:
        """The same Q-function's values along recorded episodes."""
        steps = {name: self._q[name] for name in ("q", "v", "after")}
        return EpisodeValues.of(self.transitions, **steps, grid=self._grid)

    @cached_property
    def imagined(self) -> ImaginedReturns:
        """Full episodes in each elite of the model that judges."""
        run = self.judged.settings
        options = ModelOptions(
            model=self.model,
            start="initial",
            termination=run.termination,
            known=run.env_settings.get("known"),
            progress=False,
        )
        world = assemble(self.transitions, self.settings.method(), options)
        limit = None if self.transitions.env_spec is None else self.transitions.env_spec.max_episode_steps
        return imagined_returns(
            world.mdp,
            world.starts,
            self.policy,
            n_episodes=self.settings.episodes,
            max_steps=limit or int(self.transitions.episode_lengths.max()),
            seed=self.settings.seed,
        )

    def _kept(
        self, name: str, identity: Mapping[str, Any], make: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Tensors that are computed once."""
        path = self.work / f"{name}-{key_of(identity)}.safetensors"
        return cached(
            path,
            make=lambda place: write_tensors(place, make(), {}),
            load=lambda place: read_tensors(place)[0],
        )

"""`Prior`: a policy that proposes plans, as in MBOP (Argenson and Dulac-Arnold 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from offline_envs.errors import SettingsError, unknown_name
from offline_envs.mdp import LearnedMDP
from offline_envs.policies import Policy
from offline_envs.settings import checked


@dataclass(frozen=True)
class Prior:
    """A policy whose imagined actions are plans, e.g. one cloned from the data.

    A sampling planner adds these plans to the first candidates of every decision, so that it begins near what
    the policy does where its own samples miss it. The policy is followed in the model, so a proposal answers
    to the states that its earlier actions lead to.

    Attributes:
        policy: The policy.
        share: Number of proposals in shares of the planner's candidates.
        std: Deviation of the normal noise on each action, in shares of half the range of the action.

    Raises:
        SettingsError: A share outside (0, 1], or a negative deviation.
    """

    policy: Policy
    share: float = 0.1
    std: float = 0.1

    def __post_init__(self) -> None:
        _check_fields(self.share, self.std)


def _check_fields(share: float = 1.0, std: float = 0.0) -> None:
    if not 0 < share <= 1:
        raise SettingsError(f"The share of a prior must be above 0 and at most 1, got {share:g}.")
    if std < 0:
        raise SettingsError(f"The deviation of a prior must be 0 or more, got {std:g}.")


def followed(
    prior: Prior,
    mdp: LearnedMDP,
    obs: Tensor,
    n: int,
    last: Tensor,
    bounds: tuple[Tensor, Tensor],
    generator: torch.Generator,
    *,
    mixing: float = 0.0,
) -> Tensor:
    """Follow a policy in the model, and take its actions as plans.

    Argenson and Dulac-Arnold 2021 (MBOP), algorithm 2: a_t = (1 − β)·(f_b(s_t) + ε) + β·T_t, with the last
    plan T and noise ε.

    Args:
        prior: The policy and its noise.
        mdp: The learned MDP; rewards play no part, and where an episode ends its state stays.
        obs: Observations, `(B, d)`.
        n: Plans of each.
        last: The plan to mix in, `(B, H, k)`.
        bounds: Lower and upper bounds of the actions, `(k,)` each.
        generator: Source of randomness.
        mixing: β.

    Returns:
        Plans within the bounds, `(B, n, H, k)`.
    """
    low, high = bounds
    bare, state = mdp.without_transform(), obs.repeat_interleave(n, dim=0)
    kept = bare.begin(len(state), generator)
    ended = torch.zeros(len(state), dtype=torch.bool, device=obs.device)
    actions = []
    for t in range(last.shape[1]):
        chosen = prior.policy(state).to(obs.device, torch.float32)
        noise = torch.randn(chosen.shape, generator=generator, device=obs.device)
        noisy = (chosen + prior.std * (high - low) / 2 * noise).clamp(low, high)
        actions.append(torch.lerp(noisy, last[:, t].repeat_interleave(n, dim=0), mixing))
        step = bare.step(state, actions[-1], generator, kept)
        ended = ended | step.terminated | step.truncated
        state = torch.where(ended[:, None], state, step.next_obs)
    return torch.stack(actions, dim=1).view(len(obs), n, *last.shape[1:])


PRIOR = "prior"
"""Name of the setting of a planner's text that names its prior; those of `Prior` begin with it."""


def prior_fields(settings: Mapping[str, Any]) -> tuple[str | None, dict[str, float]]:
    """The prior among the settings of a planner's text, e.g. of `"cem:prior=policy.zip,prior_share=0.2"`.

    Returns:
        The text or file of the policy, None if there is no prior, and the other fields of `Prior`.

    Raises:
        SettingsError: An unknown setting, one of a wrong type or out of range, or any without a policy.
    """
    given = {name: value for name, value in settings.items() if name.startswith(PRIOR)}
    names = {PRIOR: "policy", "prior_share": "share", "prior_std": "std"}
    for name in given:
        if name not in names:
            raise unknown_name("setting of a prior", name, names)
    if not given:
        return None, {}
    policy = given.pop(PRIOR, None)
    if not isinstance(policy, str):
        raise SettingsError(f"{PRIOR}= must name a policy, by its file or text, got {policy!r}.")
    fields = {names[name]: checked(name, float, value) for name, value in given.items()}
    _check_fields(**fields)
    return policy, fields

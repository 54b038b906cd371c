"""Linear-quadratic problems in float64, and their solutions by Riccati's recursion."""

from dataclasses import dataclass

import torch
from torch import Tensor

from offline_envs.planning.problem import Imagined, Problem

Gains = list[Tensor]


@dataclass(frozen=True)
class Quadratic:
    """s' = A s + B a, r = −sᵀQs − aᵀRa − 2 aᵀNs, V = −sᵀPs."""

    a: Tensor
    b: Tensor
    q: Tensor
    r: Tensor
    n: Tensor
    p: Tensor
    discount: float = 1.0

    def model(self, obs: Tensor, action: Tensor) -> Imagined:
        cost = (obs @ self.q * obs).sum(-1) + (action @ self.r * action).sum(-1)
        cost = cost + 2 * (action * (obs @ self.n.T)).sum(-1)
        no = torch.zeros(len(obs), dtype=torch.bool)
        return Imagined(-cost, obs @ self.a.T + action @ self.b.T, no, no, no)

    def problem(self, bound: float = 1e3) -> Problem:
        high = torch.full((len(self.r),), bound, dtype=torch.float64)
        return Problem(self.model, -high, high, self.discount, lambda obs: -(obs @ self.p * obs).sum(-1))

    def solution(self, horizon: int) -> tuple[Tensor, Gains]:
        """P_0 and the gains K_t of a_t = −K_t s_t, by Riccati's recursion."""
        p, gains = self.p, []
        for _ in range(horizon):
            gamma_p = self.discount * p
            uu = self.r + self.b.T @ gamma_p @ self.b
            ux = self.n + self.b.T @ gamma_p @ self.a
            gain = torch.linalg.solve(uu, ux)
            p = self.q + self.a.T @ gamma_p @ self.a - ux.T @ gain
            gains.append(gain)
        return p, gains[::-1]

    def plan(self, obs: Tensor, horizon: int) -> Tensor:
        """The best actions from `(B, d)`, `(B, H, k)`."""
        actions = []
        for gain in self.solution(horizon)[1]:
            actions.append(-obs @ gain.T)
            obs = obs @ self.a.T + actions[-1] @ self.b.T
        return torch.stack(actions, dim=1)


def quadratic(discount: float = 0.9) -> Quadratic:
    """Three observations and two actions, unstable, with a product of both in the cost."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    root = normal(3, 3)
    return Quadratic(
        a=torch.eye(3, dtype=torch.float64) + 0.3 * normal(3, 3),
        b=normal(3, 2),
        q=root @ root.T,
        r=torch.eye(2, dtype=torch.float64),
        n=0.1 * normal(2, 3),
        p=2 * torch.eye(3, dtype=torch.float64),
        discount=discount,
    )


def starts(n: int = 4) -> Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

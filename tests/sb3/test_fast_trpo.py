"""`FastTRPO` against sb3-contrib's TRPO, whose numbers it has to give."""

from typing import Any

import pytest
import torch
from sb3_contrib import TRPO

from offline_envs.sb3 import FastTRPO

STEP = 64
"""Transitions of one step of the policy."""


def trained(kind: type[TRPO], env: str = "Pendulum-v1", **options: Any) -> Any:
    """An agent after three steps of its policy."""
    own: dict[str, Any] = {"n_steps": STEP, "batch_size": 32, "target_kl": 0.1, "seed": 0, "device": "cpu"}
    return kind("MlpPolicy", env, **own, **options).learn(3 * STEP)


class Compared(FastTRPO):
    """Compares each step's gradients, and a product with the Hessian, with those of sb3-contrib."""

    n_compared = 0

    def _compute_actor_grad(self, kl_div: torch.Tensor, policy_objective: torch.Tensor) -> Any:
        found = super()._compute_actor_grad(kl_div, policy_objective)
        wanted = TRPO._compute_actor_grad(self, kl_div, policy_objective)
        assert [id(own) for own in found[0]] == [id(own) for own in wanted[0]]
        assert found[3] == wanted[3]
        vector = torch.ones_like(found[1])
        products = [self.hessian_vector_product(each[0], each[2], vector) for each in (found, wanted)]
        for own, other in ((found[1], wanted[1]), (found[2], wanted[2]), products):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)
        assert products[0].norm() > 1e-3
        self.n_compared += 1
        return found


@pytest.mark.parametrize(
    ("env", "options"),
    [
        ("Pendulum-v1", {}),
        ("CartPole-v1", {}),
        ("Pendulum-v1", {"sub_sampling_factor": 2}),
        ("Pendulum-v1", {"use_sde": True}),
        ("Pendulum-v1", {"policy_kwargs": {"net_arch": {"pi": [8, 8], "vf": [4]}}}),
    ],
)
def test_gradients_and_products_are_those_of_trpo(env: str, options: dict[str, Any]) -> None:
    assert trained(Compared, env, **options).n_compared == 3


def test_training_is_that_of_trpo() -> None:
    found, wanted = (trained(kind).policy.state_dict() for kind in (FastTRPO, TRPO))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_the_divergence_is_differentiated_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one parameter at a time it would be once for each of them."""
    differentiate, calls = torch.autograd.grad, list[int]()

    def noted(*arguments: Any, **options: Any) -> Any:
        if options.get("create_graph"):
            calls.append(len(arguments[1]))
        return differentiate(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "grad", noted)
    trained(FastTRPO)
    assert calls == [7] * 3  # two layers and the last one, each with a bias, and the deviation

"""A classifier of terminal steps, for environments without a known termination rule."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from offline_envs.data import Transitions
from offline_envs.dynamics.ensemble.layers import Normalizer
from offline_envs.dynamics.fitting.rows import generator_for
from offline_envs.errors import CheckpointError
from offline_envs.files import check_identity, read_tensors, write_tensors

HEAD_VERSION = 3
"""Incremented whenever the file's layout, or the result for equal data, changes."""

_WIDTH, _BATCH, _LEARNING_RATE, _MAX_EPOCHS, _PATIENCE, _HOLDOUT_SHARE = 64, 512, 1e-3, 50, 5, 0.1
_STREAM = 10


class LearnedTermination(nn.Module):
    """Whether a step ended the MDP, learned from a dataset; used like any termination rule.

    Args:
        obs_dim: Number of observation dimensions, d.
        action_dim: Number of action dimensions, k.
        generator: Source of the initial weights.
    """

    threshold: Tensor

    def __init__(self, obs_dim: int, action_dim: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.obs_dim, self.action_dim = obs_dim, action_dim
        n_inputs = 2 * obs_dim + action_dim
        self.normalizer = Normalizer(n_inputs)
        layers = [nn.Linear(n_inputs, _WIDTH), nn.Linear(_WIDTH, _WIDTH), nn.Linear(_WIDTH, 1)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList(layers)
        self.register_buffer("threshold", torch.tensor(0.0))

    def logits(self, inputs: Tensor) -> Tensor:
        """Log-odds of a terminal step from standardised (obs, action, next_obs), `(B, 2d + k)` to `(B,)`."""
        *hidden, last = self.layers
        for layer in hidden:
            inputs = functional.silu(layer(inputs))
        logits: Tensor = last(inputs).squeeze(-1)
        return logits

    @torch.no_grad()
    def forward(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Decide for each step whether it ended the MDP.

        Args:
            obs: Observations, float32 `(B, d)`.
            action: Actions, float32 `(B, k)`.
            next_obs: Successor observations, float32 `(B, d)`.

        Returns:
            Terminal or not, bool `(B,)`.
        """
        return self.logits(self.normalizer(torch.cat([obs, action, next_obs], dim=-1))) > self.threshold


def fit_termination(
    transitions: Transitions, *, seed: int = 0, device: torch.device | str = "cpu"
) -> LearnedTermination:
    """Train a head on the terminations of a dataset.

    Terminal steps are rare, so the loss weighs both classes equally; the threshold is then chosen on held-out
    rows for the best F1 score. If the dataset has a single class, the head always predicts that class.

    Args:
        transitions: The dataset.
        seed: Seed of weights, split and batches.
        device: Device of the training and of the head.
    """
    head = LearnedTermination(
        transitions.obs_dim, transitions.action_dim, generator=generator_for(seed, _STREAM)
    )
    n_terminal = int(transitions.terminated.sum())
    if n_terminal in (0, len(transitions)):
        head.threshold.fill_(torch.inf if n_terminal == 0 else -torch.inf)
        return head.to(device).eval().requires_grad_(False)
    inputs = torch.cat([transitions.obs, transitions.actions, transitions.next_obs], dim=-1)
    head.normalizer.fit(inputs)
    inputs = head.normalizer(inputs).to(device)
    labels = transitions.terminated.float().to(device)
    train, holdout = _stratified_split(transitions.terminated, torch.Generator().manual_seed(seed))
    head.to(device)
    _train(head, (inputs[train], labels[train]), (inputs[holdout], labels[holdout]), seed=seed)
    with torch.no_grad():
        head.threshold.copy_(best_threshold(head.logits(inputs[holdout]), labels[holdout]))
    return head.eval().requires_grad_(False)


def best_threshold(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the threshold of best F1 score, midway between two neighbouring logits; a scalar.

    Equal logits lie on the same side of any threshold, so that there is no cut among them.

    Args:
        logits: Log-odds, `(B,)`.
        labels: 1 for terminal, else 0, `(B,)`.
    """
    ordered, order = logits.sort(descending=True)
    hits = labels[order].cumsum(0)
    taken = torch.arange(1, len(hits) + 1, device=hits.device)
    f1 = 2 * hits / (taken + labels.sum())
    f1[:-1][ordered[:-1] == ordered[1:]] = -1.0
    cut = int(f1.argmax())
    return ordered[cut : cut + 2].mean() if cut + 1 < len(ordered) else ordered[cut] - 1


def save_termination(
    path: Path | str, head: LearnedTermination, *, about: Mapping[str, Any] | None = None
) -> None:
    """Write a head to one safetensors file, atomically.

    Args:
        path: The file.
        head: The head, on any device.
        about: What it was trained on, JSON values by name.
    """
    dims = {"obs_dim": head.obs_dim, "action_dim": head.action_dim}
    write_tensors(
        Path(path), head.state_dict(), {"head_version": HEAD_VERSION, **dims, "about": dict(about or {})}
    )


def load_termination(
    path: Path | str, device: torch.device | str = "cpu", *, about: Mapping[str, Any] | None = None
) -> LearnedTermination:
    """Read a head that `save_termination` wrote.

    Args:
        path: The file.
        device: Device of the head.
        about: What it must have been trained on, as far as that matters.

    Raises:
        CheckpointError: The file is missing, truncated, altered, of another kind, too new, or trained on
            something else.
    """
    tensors, header = read_tensors(Path(path))
    found = header.get("head_version")
    if found is None or found > HEAD_VERSION:
        raise CheckpointError(
            f"{path} has head version {found}; this installation reads versions up to {HEAD_VERSION}."
        )
    check_identity(Path(path), about or {}, header.get("about"))
    try:
        head = LearnedTermination(header["obs_dim"], header["action_dim"])
        head.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged: header and tensors disagree ({error}).") from error
    return head.to(device).eval().requires_grad_(False)


def _stratified_split(terminated: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows for training and for the choice of epoch and threshold, both classes in both where possible."""
    order = torch.randperm(len(terminated), generator=generator)
    train, holdout = [], []
    for rows in (order[terminated[order]], order[~terminated[order]]):
        n_holdout = int(len(rows) * _HOLDOUT_SHARE)
        train.append(rows[n_holdout:])
        holdout.append(rows[:n_holdout] if n_holdout else rows)
    return torch.cat(train), torch.cat(holdout)


def _train(
    head: LearnedTermination, train: tuple[Tensor, Tensor], holdout: tuple[Tensor, Tensor], *, seed: int
) -> None:
    """Minimise the weighted cross-entropy with early stopping on the holdout; keep the best weights."""
    inputs, labels = train
    weight = (len(labels) - labels.sum()) / labels.sum()
    optimizer = torch.optim.Adam(head.layers.parameters(), lr=_LEARNING_RATE, fused=True)
    best, best_loss, dry = copy.deepcopy(head.layers.state_dict()), torch.inf, 0
    for epoch in range(_MAX_EPOCHS):
        order = torch.randperm(len(labels), generator=generator_for(seed, _STREAM, epoch)).to(labels.device)
        for rows in torch.split(order, _BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(_loss(head, inputs[rows], labels[rows], weight))
            optimizer.step()
        with torch.no_grad():
            loss = _loss(head, *holdout, weight).item()
        if loss < best_loss:
            best, best_loss, dry = copy.deepcopy(head.layers.state_dict()), loss, 0
        else:
            dry += 1
        if dry >= _PATIENCE:
            break
    head.layers.load_state_dict(best)


def _loss(head: LearnedTermination, inputs: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(head.logits(inputs), labels, pos_weight=weight)

"""Trains one algorithm of d3rlpy. Another interpreter runs this file: it imports nothing of this package.

d3rlpy pins an older Gymnasium, so it cannot be installed beside this package. This program reads one request
from standard input and writes messages to standard output, a JSON object a line each.
"""

import dataclasses
import json
import os
import platform
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

SECONDS_BETWEEN_MESSAGES = 1.0
POLICY_FILE, MODEL_FILE, RANDOM_FILE = "policy.pt", "model.pt", "random.pt"


class RequestError(Exception):
    """A request that d3rlpy cannot carry out."""


class Teller:
    """Writes messages, one line each; everything else that is printed goes to standard error."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._last = 0.0
        os.dup2(2, 1)  # d3rlpy logs to standard output

    def tell(self, **message: Any) -> None:
        """Write a message now."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def tell_step(self, step: int) -> None:
        """Tell the number of gradient steps, at most once a second."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_MESSAGES:
            self._last = now
            self.tell(step=step)


def make_learner(request: dict[str, Any]) -> Any:
    """Make the algorithm from its settings in d3rlpy's serialised form."""
    import d3rlpy

    kind = getattr(d3rlpy.algos, request["learner"] + "Config", None)
    if kind is None:
        raise RequestError(f"d3rlpy {d3rlpy.__version__} has no {request['learner']}")
    known = {field.name for field in dataclasses.fields(kind)}
    for name in request["config"]:
        if name not in known:
            raise RequestError(
                f"{request['learner']} has no setting {name!r}. Valid: {', '.join(sorted(known))}"
            )
    try:
        # d3rlpy reads only what is complete.
        config = {**kind().serialize_to_dict(), **request["config"]}
        return kind.deserialize_from_dict(config).create(device=request["device"])
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        raise RequestError(f"config of {request['learner']} is not valid: {error!r}") from error


def read_dataset(request: dict[str, Any]) -> Any:
    """Read the arrays as d3rlpy's dataset."""
    import d3rlpy
    import numpy as np

    with np.load(request["dataset"], allow_pickle=False) as arrays:
        return d3rlpy.dataset.MDPDataset(**arrays, action_space=d3rlpy.constants.ActionSpace.CONTINUOUS)


def save_step(learner: Any, folder: Path) -> None:
    """Write policy and state after a step into a folder that appears complete or not at all."""
    import numpy as np
    import torch

    part = folder.with_name(folder.name + ".part")
    part.mkdir(exist_ok=True)
    learner.save_model(str(part / MODEL_FILE))
    on_cpu(learner, part / MODEL_FILE).save_policy(str(part / POLICY_FILE))
    drawn: Any = np.random.get_state()  # noqa: NPY002 (d3rlpy draws from NumPy's global generator)
    name, keys, *rest = drawn
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": random.getstate(),
    }
    torch.save(state, part / RANDOM_FILE)
    part.rename(folder)


def on_cpu(learner: Any, model: Path) -> Any:
    """The same learner on the CPU, so that the policy that it traces needs no other device."""
    if "cpu" in learner._device:
        return learner
    twin = learner.config.create(device="cpu")
    twin.create_impl(learner.observation_shape, learner.action_size)
    twin.load_model(str(model))
    return twin


def load_step(learner: Any, folder: Path, request: dict[str, Any]) -> None:
    """Go on from what `save_step` wrote after `request["start"]` steps."""
    import numpy as np
    import torch

    learner.create_impl((request["obs_dim"],), request["action_dim"])
    learner.load_model(str(folder / MODEL_FILE))
    learner.set_grad_step(request["start"])
    state = torch.load(folder / RANDOM_FILE, weights_only=True)
    torch.set_rng_state(state["torch"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(state["python"])


def train(request: dict[str, Any], teller: Teller) -> None:
    """Take the gradient steps that are left, and save a policy every `every` steps and at the end."""
    import d3rlpy
    import torch

    if "threads" in request:
        torch.set_num_threads(request["threads"])
    learner, dataset = make_learner(request), read_dataset(request)
    teller.tell(n_transitions=dataset.transition_count)
    d3rlpy.seed(request["seed"])
    folder, done, every, total = Path(request["folder"]), request["start"], request["every"], request["steps"]
    folder.mkdir(exist_ok=True)
    if done:
        load_step(learner, folder / f"step-{done}", request)
    while done < total:
        n = min(every, total - done)
        learner.fit(
            dataset,
            n_steps=n,
            n_steps_per_epoch=n,
            logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
            show_progress=False,
            callback=lambda _, __, step, done=done: teller.tell_step(done + step),
        )
        done += n
        save_step(learner, folder / f"step-{done}")
        teller.tell(step=done, saved=True)


def main() -> None:
    """Say which d3rlpy is here, read the request, and carry it out."""
    teller = Teller()
    try:
        import d3rlpy
        import torch
    except ImportError as error:
        teller.tell(missing=str(error))
        return
    teller.tell(d3rlpy=d3rlpy.__version__, torch=torch.__version__, python=platform.python_version())
    line = sys.stdin.readline()
    if not line:
        return  # who started this program has ended
    try:
        train(json.loads(line), teller)
    except RequestError as error:
        teller.tell(refused=str(error))
    except Exception as error:
        traceback.print_exc()
        teller.tell(failed=repr(error))


if __name__ == "__main__":
    main()

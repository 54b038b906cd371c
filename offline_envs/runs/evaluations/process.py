"""`EvaluationProcess`: a process that scores a run's policies while the run trains."""

import signal
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from offline_envs.errors import OfflineEnvsError
from offline_envs.runs.evaluations.evaluator import Judge, Scores
from offline_envs.runs.resuming.stopping import ctrl_c_ignored
from offline_envs.runs.run_settings import RunSettings
from offline_envs.runs.sent_errors import SentError
from offline_envs.sb3 import agent_class


class EvaluationProcess:
    """Scores one policy at a time on the CPU, in a process that ends with this one.

    It loads the run's dataset again to make the environment, so it needs as much memory for it. Use it as a
    context manager.

    Args:
        settings: The run.
        seed: Seed of the first episode of each evaluation.
        prepare: Called there first, e.g. to register an agent; it has to be picklable.
    """

    def __init__(
        self, settings: RunSettings, *, seed: int, prepare: Callable[[], None] | None = None
    ) -> None:
        context = get_context("spawn")  # a fork would copy the locks of other threads
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, settings, seed, prepare)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with ctrl_c_ignored():
            self._process.start()
        theirs.close()  # the other process alone holds it, so that its death ends the pipe

    def __enter__(self) -> "EvaluationProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self._pipe.close()  # which ends it, unless it is in the middle of an episode
        self._process.kill()
        self._process.join()

    def ask(self, policy: Path) -> None:
        """Let it score the agent in a file, which may not change before the answer."""
        with suppress(ConnectionError):  # it has ended: `answer` says why
            self._pipe.send(policy)

    def has_answered(self) -> bool:
        """Whether `answer` would not wait."""
        return self._pipe.poll()

    def answer(self) -> Scores:
        """Wait for the scores of the policy that it was asked for.

        Raises:
            Exception: What went wrong there.
            OfflineEnvsError: The process died.
        """
        try:
            found = self._pipe.recv()
        except (EOFError, ConnectionError):  # the second if it died before it had read the question
            self._process.join()
            raise OfflineEnvsError(
                f"The process that evaluates died with status {self._process.exitcode}. In a script, a run "
                'with evaluate_beside has to be started under `if __name__ == "__main__":`.'
            ) from None
        if isinstance(found, SentError):
            raise found.error()
        assert isinstance(found, Scores)
        return found


def _serve(pipe: Connection, settings: RunSettings, seed: int, prepare: Callable[[], None] | None) -> None:
    """Answer until the run's end of the pipe is closed; the run alone obeys Ctrl-C and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        if prepare is not None:
            prepare()
        with closing(settings.transitions().make_env()) as env:
            judge = Judge(env, settings.eval_episodes, seed)
            while True:
                agent = agent_class(settings.agent).load(pipe.recv(), device="cpu")
                pipe.send(judge.scores(agent))
    except EOFError:
        return
    except Exception as error:
        pipe.send(SentError.of(error))

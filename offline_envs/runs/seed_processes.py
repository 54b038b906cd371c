"""`train_at_once`: several runs at once, each in a process of its own."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, cast

import torch

from offline_envs.errors import OfflineEnvsError
from offline_envs.runs.folder import RunFolder
from offline_envs.runs.resuming.stopping import StopRequest, ctrl_c_ignored, stop_request
from offline_envs.runs.sent_errors import SentError
from offline_envs.runs.settings import TrainSettings
from offline_envs.runs.training import train

COMPLETE = "complete"
"""Last message of a run that has its result."""


@dataclass(frozen=True)
class Job:
    """A run as its process gets it.

    Attributes:
        settings: The run.
        folder: Its folder.
        resume: See `train`.
    """

    settings: TrainSettings
    folder: RunFolder
    resume: bool


def train_at_once(
    jobs: Sequence[Job],
    processes: int,
    *,
    prepare: Callable[[], None] | None,
    on_start: Callable[[Job], None],
    on_evaluation: Callable[[Job, Mapping[str, Any]], None],
    on_stop: Callable[[], None],
) -> None:
    """Train each run in a process that has its share of this process's threads.

    Args:
        jobs: The runs, started in this order.
        processes: How many run at once.
        prepare: Called first in each process, e.g. to register an algorithm; it has to be picklable.
        on_start: Called here before a run starts.
        on_evaluation: Called here with each evaluation's row of metrics.
        on_stop: Called here when the user or the system asks to stop.

    Raises:
        Exception: The first error of a run or of a callback; the other runs stop, and can be resumed.
        OfflineEnvsError: A process that died.
        KeyboardInterrupt: Stopped; all runs can be resumed.
    """
    team, waiting = _Team(prepare, max(1, torch.get_num_threads() // processes)), deque(jobs)

    def stop() -> None:
        on_stop()
        team.stop()

    with stop_request(stop) as request:
        try:
            while team.running or (waiting and not request.made):
                while waiting and len(team.running) < processes and not request.made:
                    on_start(waiting[0])
                    team.start(waiting.popleft())
                for job, message in team.messages():
                    _obey(job, message, request, on_evaluation)
        finally:
            team.end()
        if request.made:
            raise KeyboardInterrupt


def _obey(
    job: Job, message: object, request: StopRequest, on_evaluation: Callable[[Job, Mapping[str, Any]], None]
) -> None:
    """Pass an evaluation on, or raise what the run raised, unless it was asked to stop.

    Raises:
        BaseException: That of the run.
    """
    if isinstance(message, Mapping):
        on_evaluation(job, message)
    elif isinstance(message, BaseException) and not request.made:
        message.add_note(f"This ended the run in {job.folder.path}.")
        raise message


class _Member(NamedTuple):
    job: Job
    process: BaseProcess


class _Team:
    """The processes that run, by the end of the pipe from which each is heard."""

    def __init__(self, prepare: Callable[[], None] | None, threads: int) -> None:
        self._prepare, self._threads = prepare, threads
        self._context = get_context("spawn")  # a fork would copy the locks of other threads
        self._stopping = False
        self.running: dict[Connection, _Member] = {}

    def start(self, job: Job) -> None:
        """Start the process of a run."""
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (job, sender, self._prepare, self._threads)
        process = self._context.Process(target=_run, args=arguments, daemon=True)
        with ctrl_c_ignored():
            process.start()
        sender.close()  # the other process alone holds it, so that its death ends the pipe
        self.running[receiver] = _Member(job, process)
        if self._stopping:  # asked while it was started
            process.terminate()

    def messages(self) -> Iterator[tuple[Job, object]]:
        """Wait for messages: an evaluation's row, `COMPLETE`, or the error that ended a run."""
        for connection in wait(list(self.running)):
            receiver = cast(Connection, connection)
            job, process = self.running[receiver]
            try:
                message = receiver.recv()
            except EOFError:
                process.join()
                message = _death(process)
            if isinstance(message, SentError):
                message = message.error()
            if not isinstance(message, Mapping):
                process.join()
                receiver.close()
                del self.running[receiver]
            yield job, message

    def stop(self) -> None:
        """Ask every run to stop where it can resume exactly, and at once when asked again."""
        self._stopping = True
        for _, process in self.running.values():
            process.terminate()

    def end(self) -> None:
        """Stop what runs and wait for it."""
        self.stop()
        for _, process in self.running.values():
            process.join()


def _death(process: BaseProcess) -> OfflineEnvsError:
    return OfflineEnvsError(
        f"A process that trained a seed died with status {process.exitcode}. A negative status is the number "
        "of a signal: -9 often means that memory was short, so take fewer processes. In a script, processes "
        'have to be started under `if __name__ == "__main__":`.'
    )


def _run(job: Job, sender: Connection, prepare: Callable[[], None] | None, threads: int) -> None:
    """Train in this process, and send each evaluation and how the run ended."""
    torch.set_num_threads(threads)
    try:
        if prepare is not None:
            prepare()
        tell = partial(_send_row, sender)
        train(job.settings, job.folder.path, resume=job.resume, show_progress=False, callbacks=[tell])
        sender.send(COMPLETE)
    except BaseException as error:
        sender.send(SentError.of(error))


def _send_row(sender: Connection, row: Mapping[str, Any], folder: object) -> None:
    del folder  # the job's
    sender.send(row)

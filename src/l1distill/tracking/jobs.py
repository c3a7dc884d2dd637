"""Runs of jobs of several stages: each a child of a sweep's run, with its stages' runs below."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from l1distill.core.credentials import hide_credentials
from l1distill.tracking.lookup import find_run
from l1distill.tracking.runs import PARENT, PARENT_RUN, OpenRun, Run, open_parent
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import connect


@contextmanager
def parent_run(
    tracking: TrackingSettings,
    name: str,
    tags: Mapping[str, str],
    parent: str = "",
    lock: Path | None = None,
) -> Iterator[Run]:
    """Open a run that the stages run in this block are children of, and end it whatever happens.

    It ends FINISHED, FAILED (an exception) or KILLED (interrupted); one whose process was killed
    outright is ended by the next process that takes its lock, or when its lease has expired.

    Args:
        tracking: where runs are logged.
        name: of the run.
        tags: of the run.
        parent: id of the run that it is a child of; empty for none.
        lock: see :class:`.runs.OpenRun`.
    """
    store = connect(tracking)
    opened = OpenRun(store, name, {**tags, **({PARENT: parent} if parent else {})}, lock)
    before = os.environ.get(PARENT_RUN)
    os.environ[PARENT_RUN] = opened.run_id
    status = "FAILED"
    try:
        yield Run(opened.client, opened.run_id, opened.experiment_id)
        status = "FINISHED"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            status = "KILLED"
        else:
            with suppress(Exception):
                text = hide_credentials(f"{type(error).__name__}: {error}")[:5000]
                opened.client.set_tag(opened.run_id, "error", text)
        raise
    finally:
        os.environ.pop(PARENT_RUN)
        if before is not None:
            os.environ[PARENT_RUN] = before
        with suppress(Exception):  # a store that is gone; the first error is what is reported
            opened.end(status)


def adopt(tracking: TrackingSettings, run_id: str, parent: str) -> bool:
    """Make a finished run a child of another one; return whether it is in the store.

    Args:
        tracking: where runs are logged.
        run_id: of the run.
        parent: id of the run that it becomes a child of; empty leaves it where it is.
    """
    from mlflow.exceptions import MlflowException

    client = connect(tracking).client
    try:
        run = client.get_run(run_id)
    except MlflowException:
        return False
    if run.info.status != "FINISHED" or run.info.lifecycle_stage != "active":
        return False
    if parent:
        client.set_tag(run_id, PARENT, parent)
    return True


def adopt_by_sweep(tracking: TrackingSettings, stage: str, sha256: str) -> bool:
    """Make the run that wrote an output one of the sweep at hand; return whether there is one.

    Args:
        tracking: where runs are logged.
        stage: that wrote the output.
        sha256: of the output.
    """
    store = connect(tracking)
    found = find_run(store.client, stage, sha256)
    if found and (parent := open_parent(store)):
        store.client.set_tag(found, PARENT, parent)
    return bool(found)


def adopt_output(run: Run, stage: str, sha256: str) -> None:
    """Make the run that wrote an output a child of a run, where the store has it.

    Args:
        run: the new parent.
        stage: that wrote the output.
        sha256: of the output.
    """
    found = find_run(run.client, stage, sha256)
    if found:
        run.client.set_tag(found, PARENT, run.run_id)

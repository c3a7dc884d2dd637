"""Lock of an output folder as a sign of death: who holds it knows that no other process does.

A run names the lock under which its stage writes. The next stage that takes the same lock, as the
same command does, ends runs that a killed process left RUNNING without waiting for their lease.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from l1distill.tracking.lease import kernel_clock

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "output_lock"
"""Tag of a run with the identity of the lock that its process holds."""
SWEEP_LOCK, RUN_LOCK = ".sweep.lock", ".run.lock"
"""Files in the folders of a sweep and of a job, whose process locks them."""


def lock_identity(lock: Path) -> str:
    """Return what tells the lock of a file from all others: running kernel, device and inode.

    An inode is not given to another file as long as a process has it open, and the locks of one
    kernel exclude each other also between containers.
    """
    found = lock.stat()
    return f"{kernel_clock().name}:{found.st_dev:x}:{found.st_ino}"


def lock_if_free(lock: FileLock) -> dict[str, str]:
    """Take a lock, unless another process has it or its folder cannot be written.

    Returns:
        The tag of a run whose process holds it; empty where it is not held.
    """
    path = Path(lock.lock_file)
    with suppress(OSError):  # a timeout is one
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        return {TAG: lock_identity(path)}
    return {}


def end_runs_of_lock(
    client: "MlflowClient", experiment_id: str, own_run: str, identity: str
) -> None:
    """End open runs whose process held a lock that this process holds now, as KILLED.

    A living process ends its run before it opens the lock. Where the store does not let us, the
    lease of the runs remains.

    Args:
        client: of the store.
        experiment_id: where to look.
        own_run: the run of this process, which is left out.
        identity: of the lock; see :func:`lock_identity`.
    """
    with suppress(Exception):
        for run in client.search_runs(
            [experiment_id], f"attributes.status = 'RUNNING' and tags.{TAG} = '{identity}'"
        ):
            if run.info.run_id != own_run:
                said = "its process ended without a word: another one locked its output since"
                client.set_tag(run.info.run_id, "error", said)
                client.set_terminated(run.info.run_id, "KILLED")

"""Lease of a run: a sign of life that its owner renews, by which others know that he is gone.

A run that a killed process left RUNNING looks like that of a process at work, and host name and
process number do not tell them apart: containers share both. So the owner of a run counts up a tag
of it in a thread, and whoever logs into the same experiment ends runs whose tag stands still.

Readings of different clocks are never compared. A tag that stands still is measured by one
monotonic clock, that of the kernel on which it is looked at, which all processes there share and
which nobody sets. Each look leaves its reading on the run, so that several short stages together
see what a long one sees alone. A lease that could not be renewed because the server was away is not
taken for one that nobody renews: looks that are far apart, as an outage makes them, do not add up.
"""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as StoredRun

TAG = "lease"
"""Tag of a run with the sign of life of its owner."""
SEEN = "lease_seen."
"""Prefix of the tags with the looks of others at it, one for each of their clocks."""
LENGTH_S = 300.0
"""By default. The owner misses ten renewals in that time; of an outage of the server that looks do
not notice (:data:`MOST_GAP` of it) two minutes are left, as long as the longest pause that MLflow's
client makes between two attempts at a request."""
RENEWALS = 10
"""How often it is renewed in its length."""
MOST_GAP = 0.4
"""Looks add up if no more of the length than this lies between them."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A monotonic clock.

    Attributes:
        name: readings of clocks of one name may be compared.
        now: reads it [s].
    """

    name: str
    now: Callable[[], float]


def kernel_clock() -> Clock:
    """Return the clock of the running kernel, which all its processes share until it boots again.

    Where the kernel does not say who it is, the clock is that of this process alone.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        identity = f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except OSError:
        identity = uuid.uuid4().hex
    return Clock(name=hashlib.sha256(identity.encode()).hexdigest()[:12], now=time.monotonic)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What the owner of a run writes.

    Attributes:
        number: of renewals until now.
        length_s: how long it holds without another [s].
        clock: name of the owner's clock.
        at_s: when it was renewed, by that clock [s].
        time: the same by the calendar, in UTC, for people.
    """

    number: int
    length_s: float
    clock: str
    at_s: float
    time: str

    def to_tag(self) -> str:
        """Write it as the value of a tag."""
        return dumps(asdict(self))

    @classmethod
    def from_tag(cls, value: str) -> "Lease | None":
        """Read it; None if it is something else."""
        try:
            return cls(**loads(value))
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True, kw_only=True)
class Look:
    """What somebody saw of a lease.

    Attributes:
        number: the renewal that he saw.
        first_s: when he saw it first, by the clock in the tag's name [s].
        last_s: when he saw it last [s].
    """

    number: int
    first_s: float
    last_s: float

    @classmethod
    def from_tag(cls, value: str | None) -> "Look | None":
        """Read it; None if it is something else."""
        try:
            return cls(**loads(value or ""))
        except (TypeError, ValueError):
            return None


def new_lease(length_s: float, clock: Clock, number: int = 0) -> Lease:
    """Return a lease that begins now."""
    return Lease(
        number=number,
        length_s=length_s,
        clock=clock.name,
        at_s=clock.now(),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class Keeper:
    """Renews the lease of a run in a thread until it is stopped."""

    def __init__(
        self,
        client: "MlflowClient",
        run_id: str,
        length_s: float,
        clock: Clock,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to renew the lease of a run that was opened with :func:`new_lease`.

        Args:
            client: of the store.
            run_id: of the run.
            length_s: how long the lease holds without a renewal [s].
            clock: of this process.
            watch: what else there is to do at each renewal.
        """
        self._client, self._run_id = client, run_id
        self._length_s, self._clock, self._watch = length_s, clock, watch
        self._number = 0
        self._stopped = threading.Event()
        self._reopening = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {run_id}", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopped.wait(self._length_s / RENEWALS):
            # A store that is away for a while costs neither the run nor the work: the next renewal
            # may succeed.
            with suppress(Exception):
                self.renew()
            self._watch()

    def renew(self) -> None:
        """Renew the lease, and open the run again if it was ended all the same.

        That happens to the run of a process that stood still for longer than the lease.
        """
        self._number += 1
        lease = new_lease(self._length_s, self._clock, self._number)
        self._client.set_tag(self._run_id, TAG, lease.to_tag())
        if self._client.get_run(self._run_id).info.status != "RUNNING":
            with self._reopening:
                if not self._stopped.is_set():
                    self._client.update_run(self._run_id, status="RUNNING")

    def stop(self) -> None:
        """Renew it no more; the caller ends the run."""
        with self._reopening:
            self._stopped.set()
        # A thread that waits for a server that is away is not waited for: it changes nothing more
        # than the tag.
        self._thread.join(timeout=1.0)


def end_abandoned_runs(
    client: "MlflowClient", experiment_id: str, own_run: str, clock: Clock, *, is_local: bool
) -> None:
    """Look at the leases of all open runs, and end those as KILLED that nobody renews.

    Runs without a lease are left alone: they are not ours.

    Args:
        client: of the store.
        experiment_id: where to look.
        own_run: the run of this process, which is left out.
        clock: of this process.
        is_local: the store is a file, which is never away: what the owner wrote is enough if he
            has the same clock.
    """
    running = client.search_runs(
        [experiment_id], f"attributes.status = 'RUNNING' and tags.{TAG} LIKE '%'"
    )
    for run in running:
        lease = Lease.from_tag(run.data.tags[TAG])
        if lease is None or run.info.run_id == own_run:
            continue
        now = clock.now()
        if is_local and lease.clock == clock.name and now - lease.at_s > lease.length_s:
            _end(client, run, lease)
            continue
        key = f"{SEEN}{clock.name}"
        look = _look(Look.from_tag(run.data.tags.get(key)), lease, now)
        if now - look.first_s > lease.length_s:
            _end(client, run, lease)
        else:
            client.set_tag(run.info.run_id, key, dumps(asdict(look)))


def _look(before: Look | None, lease: Lease, now: float) -> Look:
    """Continue the looks at a lease, or begin anew: it was renewed, or they are too far apart."""
    if (
        before is None
        or before.number != lease.number
        or not 0 <= now - before.last_s <= MOST_GAP * lease.length_s
    ):
        return Look(number=lease.number, first_s=now, last_s=now)
    return replace(before, last_s=now)


def _end(client: "MlflowClient", run: "StoredRun", lease: Lease) -> None:
    """End a run, unless it was renewed or ended meanwhile."""
    found = client.get_run(run.info.run_id)
    if found.info.status == "RUNNING" and found.data.tags.get(TAG) == run.data.tags[TAG]:
        said = f"its process gave no sign of life for {lease.length_s:g} s after {lease.time}"
        client.set_tag(run.info.run_id, "error", said)
        client.set_terminated(run.info.run_id, "KILLED")

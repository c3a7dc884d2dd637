"""Leases of runs in a real store, with clocks that are set as clocks may be."""

import json
import threading
from dataclasses import dataclass, field, replace

import mlflow
import pytest

from l1distill.tracking import lease as leases
from l1distill.tracking.lease import (
    Clock,
    Keeper,
    Lease,
    end_abandoned_runs,
    kernel_clock,
    new_lease,
)
from l1distill.tracking.runs import stage_run
from l1distill.tracking.store import Store
from tests.processes import wait_for

LENGTH_S = 300.0


@dataclass
class Machine:
    """A machine with a clock of its own, on which stages log into a store."""

    store: Store
    name: str
    time_s: float
    is_local: bool = False
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(name=self.name, now=lambda: self.time_s)

    def open_run(self) -> str:
        """Opens a run; its process is called as those of all containers are."""
        tags = {"host": "same", "pid": "1", "lease": new_lease(LENGTH_S, self.clock).to_tag()}
        run = self.store.client.create_run(self.store.experiment_id, tags=tags)
        return str(run.info.run_id)

    def renew(self, run_id: str, number: int) -> None:
        tag = new_lease(LENGTH_S, self.clock, number).to_tag()
        self.store.client.set_tag(run_id, "lease", tag)

    def stage_after(self, seconds: float) -> None:
        """Some time passes, and a stage begins."""
        self.time_s += seconds
        client, experiment = self.store.client, self.store.experiment_id
        end_abandoned_runs(client, experiment, "own", self.clock, is_local=self.is_local)


@pytest.fixture
def owner(store: Store) -> Machine:
    return Machine(store, "owner", 5.0)


@pytest.fixture
def other(store: Store) -> Machine:
    return Machine(store, "other", 1e6)


def _status(store: Store, run_id: str) -> str:
    return str(store.client.get_run(run_id).info.status)


@pytest.mark.fault(
    stage="every stage",
    fault="run left RUNNING by a dead process",
    outcome="stages on other machines end it once they have seen its lease stand still for its "
    "length",
)
def test_a_run_whose_lease_stands_still_is_ended(
    store: Store, owner: Machine, other: Machine
) -> None:
    """Short stages on one machine see together that it does."""
    run_id = owner.open_run()
    for _ in range(3):
        other.stage_after(100)
        assert _status(store, run_id) == "RUNNING"
    other.stage_after(100)
    assert _status(store, run_id) == "RUNNING", "seen for as long as it holds, not for longer"
    other.stage_after(1)
    run = store.client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["error"].startswith("its process gave no sign of life for 300 s after 20")


@pytest.mark.fault(
    stage="every stage",
    fault="clock that goes backwards",
    outcome="no run is ended, whatever the calendar says; host name and process number do not "
    "matter",
)
def test_a_run_that_is_renewed_is_not_ended_whatever_the_clocks_say(
    store: Store, owner: Machine, other: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same host name and process number; a calendar that goes back by years."""

    class Backwards(leases.datetime):
        year_now = 2040

        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def]
            cls.year_now -= 1
            return cls(cls.year_now, 1, 1, tzinfo=tz)

    monkeypatch.setattr(leases, "datetime", Backwards)
    run_id = owner.open_run()
    for number in range(1, 12):
        owner.time_s += 100
        owner.renew(run_id, number)
        other.stage_after(100)
        assert _status(store, run_id) == "RUNNING"
    written = Lease.from_tag(store.client.get_run(run_id).data.tags["lease"])
    assert written is not None
    assert written.time.startswith("2028")


@pytest.mark.fault(
    stage="every stage",
    fault="clock that goes backwards",
    outcome="nor whatever the clock of a kernel says",
)
@pytest.mark.parametrize("is_local", [True, False])
def test_a_clock_of_a_machine_that_goes_backwards_ends_nothing(
    store: Store, owner: Machine, other: Machine, is_local: bool
) -> None:
    """As that of a virtual machine does that is set back to an earlier state."""
    run_id = owner.open_run()
    for machine in (owner, other):
        machine.is_local = is_local
    other.stage_after(100)
    other.stage_after(-1000)
    other.stage_after(100)
    owner.stage_after(-4)
    assert _status(store, run_id) == "RUNNING"


@pytest.mark.fault(
    stage="every stage",
    fault="the server stops, and is back after a long time",
    outcome="no run is ended because its lease could not be renewed meanwhile",
)
def test_an_outage_of_the_server_is_not_taken_for_the_end_of_the_owner(
    store: Store, owner: Machine, other: Machine
) -> None:
    """He could not renew the lease then, and looks that are far apart do not add up."""
    run_id = owner.open_run()
    other.stage_after(0)
    other.stage_after(100_000)
    owner.stage_after(100_000)
    assert _status(store, run_id) == "RUNNING"
    owner.renew(run_id, 1)
    other.stage_after(100)
    for _ in range(3):
        other.stage_after(100)
    assert _status(store, run_id) == "RUNNING", "seen since its renewal for 300 s only"


def test_in_a_local_store_a_run_of_the_same_kernel_is_ended_at_once(
    store: Store, owner: Machine, other: Machine
) -> None:
    owner.is_local = other.is_local = True
    run_id = owner.open_run()
    other.stage_after(100_000)
    owner.stage_after(300)
    assert _status(store, run_id) == "RUNNING"
    owner.stage_after(1)
    assert _status(store, run_id) == "KILLED"


def test_runs_that_have_no_lease_are_left_alone(store: Store, other: Machine) -> None:
    other.is_local = True
    strange = [{}, {"lease": "mine"}, {"lease": "[1]"}, {"lease": json.dumps({"number": 1})}]
    runs = [store.client.create_run(store.experiment_id, tags=tags) for tags in strange]
    for _ in range(5):
        other.stage_after(110)
    assert {_status(store, run.info.run_id) for run in runs} == {"RUNNING"}


def test_a_run_that_is_renewed_while_somebody_looks_is_not_ended(
    store: Store, owner: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.is_local = True
    run_id = owner.open_run()
    get_run = store.client.get_run

    def renewed_first(run_id: str) -> mlflow.entities.Run:
        owner.renew(run_id, 1)
        return get_run(run_id)

    monkeypatch.setattr(store.client, "get_run", renewed_first)
    owner.stage_after(1000)
    monkeypatch.undo()
    assert _status(store, run_id) == "RUNNING"


@pytest.mark.fault(
    stage="every stage",
    fault="process that stands still for longer than its lease",
    outcome="it opens its run again",
)
def test_the_owner_opens_a_run_again_that_was_ended_for_him(store: Store) -> None:
    """His process stood still, as under Ctrl-Z, or was cut off from the server."""
    clock = kernel_clock()
    run = store.client.create_run(store.experiment_id)
    store.client.set_terminated(run.info.run_id, "KILLED")
    keeper = Keeper(store.client, run.info.run_id, LENGTH_S, clock)
    keeper.renew()
    assert _status(store, run.info.run_id) == "RUNNING"
    keeper.stop()
    store.client.set_terminated(run.info.run_id, "FINISHED")
    keeper.renew()
    assert _status(store, run.info.run_id) == "FINISHED", "once stopped, it opens nothing"


@pytest.mark.fault(
    stage="every stage",
    fault="the server stops, and is back, while a lease is renewed",
    outcome="the work goes on, and so do the renewals",
)
def test_a_store_that_is_away_ends_neither_the_renewals_nor_the_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = threading.Semaphore(0)
    is_away = threading.Event()
    set_tag = store.client.set_tag

    def sometimes(run_id: str, key: str, value: str) -> None:
        attempts.release()
        if is_away.is_set():
            raise ConnectionError("away")
        set_tag(run_id, key, value)

    monkeypatch.setattr(store.client, "set_tag", sometimes)
    with stage_run(replace(store, lease_s=1.0), "stage") as run:
        is_away.set()
        for _ in range(4):
            assert attempts.acquire(timeout=60)
        is_away.clear()

        def renewed() -> bool:
            found = Lease.from_tag(store.client.get_run(run.run_id).data.tags["lease"])
            return found is not None and found.number > 3

        wait_for(renewed)
        assert _status(store, run.run_id) == "RUNNING"
    assert _status(store, run.run_id) == "FINISHED"


def test_all_processes_of_a_kernel_have_one_clock() -> None:
    assert kernel_clock().name == kernel_clock().name
    assert kernel_clock().now() <= kernel_clock().now()

"""Workers of one search: over servers, on clusters, and in turns."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from l1distill.core.errors import ConfigError, ResourceError
from l1distill.executor.settings import DaskSettings, SlurmSettings
from l1distill.search.plan import Course
from l1distill.search.problem import Problem
from l1distill.search.records import Outcome
from l1distill.search.snapshot import Snapshot
from l1distill.search.store import Store
from l1distill.search.worker import work
from l1distill.stages import search_workers
from l1distill.stages.search_workers import Part, take_part
from tests.in_process import own_environment
from tests.search.searches import claim_at_once, plan_of
from tests.servers import PASSWORD, mariadb, postgresql
from tests.slurm import scancel, slurm, squeue, wait_until_idle


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(postgresql, marks=pytest.mark.needs_program("postgres")),
        pytest.param(mariadb, marks=pytest.mark.needs_program("mariadbd")),
    ],
)
def test_two_workers_share_a_search_over_a_server(
    server: Callable[[], AbstractContextManager[str]], finished: Store, problem: Problem
) -> None:
    plan, told = plan_of(), Counter[tuple[int, int]]()

    def take_part(url: str) -> None:
        store = Store(url, "shared")
        store.open({"strategy": "co"})

        def tell(outcomes: Sequence[Outcome]) -> None:
            told.update((one.number, one.rung) for one in outcomes)

        with closing(store):
            work(store, plan, problem, tell)

    with server() as url, closing(Store(url, "shared")) as store:  # before the server ends
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(take_part, url) for _ in range(2)]:
                done.result()
        assert set(told.values()) == {1}, "trained twice"
        assert store.outcomes() == finished.outcomes()
        best = Course(plan, store).finished()[0]
        assert Snapshot.from_bytes(store.snapshot(best.number, best.rung)).epochs == 3
        store.keep_finalist("a", {"loss": 0.5}, b"network")
        store.keep_finalist("a", {"loss": 0.7}, b"another")
        assert store.finalist("a") == ({"loss": 0.5}, b"network")
        with pytest.raises(ConfigError, match="a search of this name was begun with strategy"):
            store.check({"strategy": "post"})
        with ExitStack() as stack:
            claim_at_once([stack.enter_context(closing(Store(url, "claims"))) for _ in range(6)])
        for part, wrong, said in (
            (PASSWORD, "wrong-secret", "the server refuses the user or the password"),
            ("127.0.0.1", "no.such.host.invalid", "there is no host of this name"),
            (url.rpartition("/")[2], "nothing", "no database of this name|not use a database"),
        ):
            match = f"^search.database=.*({said}).*; correct search.database"
            with pytest.raises(ConfigError, match=match) as refused:
                Store(wrong.join(url.rsplit(part, 1)), "shared")
            assert not re.search(f"wrong-secret|{PASSWORD}|\n", str(refused.value))
    with pytest.raises(ResourceError, match="no server answers at this address"):
        store.outcomes()


def test_workers_of_a_dask_cluster_find_the_same(
    store: Store,
    finished: Store,
    problem: Problem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a cluster that runs already; what a worker is given goes over the network."""
    monkeypatch.setattr(search_workers, "_LOOK_S", 0.05)
    monkeypatch.setattr(search_workers, "take_turn", take_part)  # without processes of their own
    with (
        own_environment(None),
        LocalCluster(
            n_workers=2, processes=False, protocol="tcp", dashboard_address=":0", silence_logs=50
        ) as cluster,
    ):
        settings = DaskSettings(address=cluster.scheduler_address, wait_s=60)
        assert search_workers.search(store, plan_of(), problem, settings, tmp_path)
    assert store.candidates() == finished.candidates()
    assert store.outcomes() == finished.outcomes()


@pytest.mark.needs_program("slurmctld")
def test_what_a_cancelled_job_of_slurm_leaves_is_done_by_the_other(
    store: Store,
    finished: Store,
    problem: Problem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_workers, "_LOOK_S", 0.05)
    read, cancelled = store.outcomes, list[int]()

    def cancel_one() -> list[Outcome]:
        outcomes = read()
        if outcomes and not cancelled:
            cancelled.append(squeue()[0])
            scancel(cancelled[0])
        return outcomes

    monkeypatch.setattr(store, "outcomes", cancel_one)
    settings = SlurmSettings(jobs=2, memory="1GB", wait_s=120)
    with slurm():
        assert search_workers.search(store, plan_of(), problem, settings, tmp_path)
        wait_until_idle()
    assert cancelled
    assert store.candidates() == finished.candidates()
    assert all(task.done for task in store.tasks())
    # workers of their own processes use all that this machine's processor has
    losses, expected = (
        np.array([one.loss for one in outcomes if one.rung == 0], np.float64)
        for outcomes in (read(), finished.outcomes())
    )
    np.testing.assert_allclose(losses, expected, rtol=0.05)


def test_a_worker_whose_memory_or_time_is_used_up_leaves_the_rest_to_the_next(
    store: Store, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = tmp_path / "problem.npz"
    problem.write(items)
    plan = plan_of(candidates=6)
    part = Part(url=store.url, name="name", plan=plan, problem=items)

    def done() -> int:
        return sum(task.done for task in store.tasks())

    with own_environment(None):
        assert not take_part(part, seconds=0)
        assert done() == 0
        assert not take_part(part, growth=-1)
        assert done() == 1
        with monkeypatch.context() as patched:
            # the command was killed, or interrupted, on a cluster that goes on
            patched.setattr(search_workers._Turn, "look", lambda *_: items.unlink())
            assert take_part(part)
        assert done() == 2
        problem.write(items)
        assert take_part(part, growth=2**60)
    assert Course(plan, store).finished()
    assert all(task.done for task in store.tasks())

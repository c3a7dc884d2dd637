"""Whole searches on made-up items: each strategy, workers that die, and what is refused."""

import csv
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy.exc
from distributed import LocalCluster

from l1distill.core.errors import ConfigError, L1DistillError, ResourceError
from l1distill.evaluation.searches import read_search
from l1distill.executor.settings import DaskSettings, SlurmSettings
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models.mlp import StudentSettings
from l1distill.search import signs_of_life
from l1distill.search.database import database_errors, url_of
from l1distill.search.halving import non_dominated, survivors
from l1distill.search.identity import DATA
from l1distill.search.importances import importances
from l1distill.search.network import network_of
from l1distill.search.plan import COSTS, Course, Plan
from l1distill.search.problem import Problem
from l1distill.search.records import Decision, Drawn, Outcome, Step, Task
from l1distill.search.sampling import Draw, ask
from l1distill.search.settings import SearchSettings
from l1distill.search.snapshot import Snapshot
from l1distill.search.store import Store
from l1distill.search.tables import write_candidates, write_progress
from l1distill.search.weights import to_student
from l1distill.search.worker import STAGE_NS, pruned, work
from l1distill.stages import search_workers
from l1distill.stages.search_workers import Part, take_part
from tests.in_process import own_environment
from tests.search.test_trainer import EXPONENTS, FEATURES, examples
from tests.servers import PASSWORD, free_port, mariadb, postgresql
from tests.slurm import scancel, slurm, squeue, wait_until_idle

CANDIDATES = 12
SETTINGS: dict[str, Any] = {
    "candidates": CANDIDATES,
    "generation": 8,
    "sampler": "random",
    "rungs": [1],
    "training": {"epochs": 3, "batch_size": 64, "learning_rate": 0.01, "patience": 3},
    "begin_epoch": 0,
    "end_epoch": 2,
    "space": {"depth": [1, 2], "nodes": [4, 6], "input_bits": [6, 8]},
}


@pytest.fixture(scope="module")
def problem() -> Problem:
    signal = examples(40, 4, 1)
    background = examples(60, 3, 1)
    return Problem(
        train=examples(200, 1, 1),
        validation=examples(100, 2, 1),
        samples={
            "background": (background.features, background.targets),
            "signal": (2 * signal.features, signal.targets),
        },
        background="background",
        exponents=EXPONENTS,
    )


def plan_of(strategy: Any = "co", **settings: Any) -> Plan:
    return Plan(
        strategy=strategy,
        settings=SearchSettings.model_validate({**SETTINGS, **settings}),
        base=StudentSettings(weight_bits=[4, 5, 6]),
        features=FEATURES,
        outputs=1,
        items=200,
        seed=5,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(url_of(tmp_path / "search.db"), "name")
    made.open({"strategy": "co"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def finished(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """What a worker found that was never disturbed, of ``plan_of()``; not to be changed."""
    made = Store(url_of(tmp_path_factory.mktemp("finished") / "search.db"), "finished")
    made.open({"strategy": "co"})
    work(made, plan_of(), problem)
    yield made
    made.close()


def test_a_generation_that_is_added_while_the_records_are_read_is_left_for_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, other = plan_of(), Store(store.url, "name")
    other.open({"strategy": "co"})
    read = store.candidates

    def slowly() -> list[Drawn]:
        known = read()
        assert other.add(Course(plan, other).next())
        return known

    monkeypatch.setattr(store, "candidates", slowly)
    course = Course(plan, store)
    assert (course.drawn, course.tasks, course.outcomes) == ({}, [], {})
    assert not store.add(course.next())  # the other worker has added it
    monkeypatch.undo()
    assert len(Course(plan, store).drawn) == SETTINGS["generation"]
    other.close()


def trained_epochs(store: Store) -> Counter[int]:
    """Candidates by the epochs that they were trained for in the end."""
    last = {one.number: one.epochs for one in store.outcomes()}
    return Counter(last.values())


def check_network(course: Course, store: Store, outcome: Outcome) -> None:
    """Its cost is that of what firmware reads from the student in QKeras."""
    candidate = course.candidate(outcome.number)
    snapshot = Snapshot.from_bytes(store.snapshot(outcome.number, outcome.rung))
    layers = pruned(snapshot.best, candidate.sparsity)
    read = from_qkeras(to_student(candidate.student, layers, EXPONENTS))
    ours = network_of(candidate.student, layers, EXPONENTS)
    assert (ours.input_type, ours.input_exponents) == (read.input_type, read.input_exponents)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in read.layers]
    for one, other in zip(ours.layers, read.layers, strict=True):
        assert repr(vars(one)) == repr(vars(other))
    cost = estimate(read, STAGE_NS)
    assert outcome.costs["lut_estimate"] == pytest.approx(cost.lut_estimate)
    assert outcome.costs["latency_cycles_estimate"] == pytest.approx(cost.latency_cycles_estimate)


@pytest.mark.parametrize(("strategy", "sampler"), [("co", "tpe"), ("front", "nsga2")])
def test_layers_and_types_are_searched_at_once(
    strategy: str, sampler: str, store: Store, problem: Problem
) -> None:
    plan = plan_of(strategy, sampler=sampler)
    told: list[Outcome] = []
    work(store, plan, problem, told.extend)
    course = Course(plan, store)
    assert len(course.drawn) == CANDIDATES
    assert Counter(one.rung for one in told)[0] == CANDIDATES
    epochs = trained_epochs(store)
    assert set(epochs) == {1, 3}
    assert epochs[1] > 0
    finished = course.finished()
    assert len(finished) == epochs[3]
    assert [one.loss for one in finished] == sorted(one.loss for one in finished if one.loss)
    for one in finished:
        assert set(one.metrics) == {
            "mse_to_teacher/background",
            "mse_to_teacher/signal",
            "auc/signal",
        }
    check_network(course, store, finished[0])
    assert course.finalists(1) == finished[:1], "of a front, too"
    front = course.front()
    assert front
    for one in finished:
        assert any(
            other.loss <= one.loss and all(other.costs[c] <= one.costs[c] for c in COSTS)
            for other in front
            if other.loss is not None and one.loss is not None
        )


def test_types_are_searched_for_the_best_layers(store: Store, problem: Problem) -> None:
    space = {**SETTINGS["space"], "knowledge": ["mse", "huber"]}
    plan = plan_of("post", space=space)
    work(store, plan, problem)
    course = Course(plan, store)
    assert {course.candidate(number).knowledge for number in course.drawn} == {"mse", "huber"}
    best = course.best(0)
    assert best is not None
    assert not best.rounds
    phases = Counter(one.phase for one in course.drawn.values())
    assert phases == {0: CANDIDATES / 2, 1: CANDIDATES / 2}
    for number, drawn in course.drawn.items():
        candidate = course.candidate(number)
        assert candidate.rounds == (drawn.phase == 1)
        if drawn.phase == 1:
            assert candidate.student.layers == best.student.layers


def test_a_killed_search_goes_on_and_trains_nothing_twice(
    store: Store, finished: Store, problem: Problem
) -> None:
    plan = plan_of()

    class Killed(Exception):
        pass

    done: list[Outcome] = []

    def kill(outcomes: Sequence[Outcome]) -> None:
        done.extend(outcomes)
        if len(done) > 4:
            raise Killed

    with pytest.raises(Killed):
        work(store, plan, problem, kill)
    work(store, plan, problem, done.extend)
    trained = Counter((one.number, one.rung) for one in done)
    assert set(trained.values()) == {1}
    assert finished.outcomes() == store.outcomes()


def test_a_task_is_claimed_once_and_a_lost_claim_is_taken_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(rungs=[])
    decision = Course(plan, store).next()
    assert store.add(decision)
    assert not store.add(decision), "another worker decided the same"
    first, second, *_ = decision.tasks
    assert store.claim(first, "elsewhere:1:a")
    assert not store.claim(first, "elsewhere:2:b")
    assert store.claim(second, f"{socket.gethostname()}:999999999:c")
    assert store.claim(second, "elsewhere:2:b"), "its process is gone"
    assert not store.finish(second, "elsewhere:3:c", []), "not its own"
    monkeypatch.setattr(signs_of_life, "LOST_S", 1e-9)
    assert store.claim(first, "elsewhere:3:c"), "no sign of life"
    assert not store.finish(first, "elsewhere:1:a", []), "it has gone to another"
    outcome = Outcome(number=0, rung=0, epochs=1, loss=1.0)
    assert store.finish(first, "elsewhere:3:c", [outcome])
    assert not store.claim(first, "elsewhere:1:a"), "done"
    assert store.outcomes() == [outcome]


def claim_at_once(stores: Sequence[Store]) -> None:
    """Each worker has a thread; no task may go to two, and none is left."""
    tasks = [
        Task(step=Step(phase=0, generation=9, rung=0), place=place, hidden=[4], members=[place])
        for place in range(30)
    ]
    stores[0].add(Decision(tasks=tasks))

    def claimed(number: int) -> list[int]:
        own = f"elsewhere:{number}:a"
        return [task.place for task in tasks if stores[number].claim(task, own)]

    with ThreadPoolExecutor(len(stores)) as pool:
        places = [place for part in pool.map(claimed, range(len(stores))) for place in part]
    assert sorted(places) == list(range(30))


def test_workers_that_claim_at_once_never_get_the_same(store: Store) -> None:
    claim_at_once([store] * 4)


def test_a_search_of_something_else_is_refused_and_what_differs_is_named(store: Store) -> None:
    same = {"strategy": "co", "search.space.nodes": [4, 8], DATA: "a"}
    other = Store(store.url, "other")
    other.open(same)
    other.check({**same, "search.space.nodes": (4, 8)})  # as JSON has it
    more = {"search.candidates": 16}  # which the other strategy alone has
    with pytest.raises(ConfigError) as refused:
        other.check({**same, **more, "strategy": "post", DATA: "b"})
    other.close()
    assert str(refused.value) == (
        "search.name=other: a search of this name was begun with another data set in data.folder, "
        'strategy="co" (now "post"); take this to continue it, or another search.name'
    )


def test_snapshots_are_kept_for_those_that_go_on_alone(store: Store, problem: Problem) -> None:
    """At each moment: what is to be decided on, what is trained on, and the finalists."""
    plan = plan_of(candidates=16, finalists=2)

    def check(_: object) -> None:
        course = Course(plan, store)
        known = {(one.number, one.rung) for one in store.outcomes()}
        held = {key for key in known if store.snapshot(*key)}
        step = max(task.step for task in course.tasks)
        now = {number for task in course.tasks if task.step == step for number in task.members}
        going_on = {(number, rung) for number, rung in held if number in now}
        last = {key for key in held - going_on if key[1] == 1}
        assert {rung for _, rung in held - going_on} <= {1}
        assert {number for number, _ in last} <= {one.number for one in course.finished()}
        # those of the generation before, beyond the finalists, are gone
        assert len(last) <= 2 or step.generation == 0

    work(store, plan, problem, check)
    course = Course(plan, store)
    for one in course.finalists(2):
        assert Snapshot.from_bytes(store.snapshot(one.number, one.rung)).epochs == 3


def test_what_was_reached_is_told_against_cpu_time(finished: Store, tmp_path: Path) -> None:
    course = Course(plan_of(), finished)
    write_progress(course, tmp_path / "progress.csv")
    with (tmp_path / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(course.tasks)
    seconds = [float(row["cpu_s"]) for row in rows]
    assert 0 < seconds[0] < seconds[-1] == pytest.approx(sum(one.cpu_s for one in course.tasks))
    best = course.finished()[0]
    assert float(rows[-1]["best_validation_loss"]) == best.loss
    told = float(rows[-1]["mse_to_teacher/signal"])
    assert told == pytest.approx(best.metrics["mse_to_teacher/signal"])
    assert int(rows[-1]["candidates"]) == CANDIDATES
    assert int(rows[-1]["finished"]) == len(course.finished())
    write_candidates(course, tmp_path / "candidates.csv")
    found = read_search(tmp_path, "co", 5)
    assert np.isfinite(found.reached(found.cpu_s))
    for moment in seconds:
        assert found.reached(moment, luts=1e9) == found.reached(moment), "either table says it"


def test_the_question_that_decides_is_the_most_important(
    store: Store,
) -> None:
    """Losses that follow from the bits of the inputs alone, and costs from the sparsity."""
    plan = plan_of(candidates=64, generation=64, space={"depth": [1, 2], "nodes": [4, 6]})
    assert store.add(Course(plan, store).next())
    course = Course(plan, store)
    for number in course.drawn:
        one = course.candidate(number)
        costs = {"lut_estimate": 1.0 - one.sparsity, "latency_cycles_estimate": 1.0}
        loss = 1.0 / one.student.input_bits
        course.first[number] = Outcome(number=number, rung=0, epochs=1, loss=loss, costs=costs)
    shares = importances(course, 0)
    assert max(shares["validation_loss"], key=lambda of: shares["validation_loss"][of]) == (
        "input_bits"
    )
    assert max(shares["lut_estimate"], key=lambda of: shares["lut_estimate"][of]) == "sparsity"
    assert sum(shares["validation_loss"].values()) == pytest.approx(1.0)
    course.first = dict([*course.first.items()][:9])
    assert importances(course, 0) == {}


@pytest.mark.parametrize(
    ("url", "said", "status"),
    [
        ("nonsense", "is no address of a database; give sqlite:///FILE", 2),
        ("postgresql://u:s3cret@h:port/n", "is no address of a database; give sqlite:///FILE", 2),
        ("postgres://u:s3cret@h/n", "postgres is no kind of database; give sqlite:///FILE", 2),
        ("oracle://u:s3cret@h/n", "needs the Python package .*; install it", 2),
        ("mysql+mysqldb://u:s3cret@h/n", "needs .* package MySQLdb; .*'l1distill.mysql.'", 2),
        ("mysql://u:s3cret@h", "names no database of the server; give sqlite:///FILE", 2),
        ("sqlite://", "names no file, and workers share one", 2),
        (
            "sqlite:////no/such/folder/x.db",
            "cannot be opened; is its folder there.*another file",
            1,
        ),
        (
            "postgresql://u:s3cret@127.0.0.1:{port}/n",
            "no server answers .*; correct search.data",
            1,
        ),
        ("sqlite:///{text}", "the file is no database of SQLite; name another file", 2),
        ("sqlite:///{old}", "its tables are of another version of l1distill; name another", 2),
        ("sqlite:///{cut}", "the file is damaged; remove the file to begin anew, or name", 2),
        ("sqlite:///{garbled}", "the file is damaged; remove the file to begin anew", 2),
        ("sqlite:///{list}", "the file is damaged; remove the file to begin anew", 2),
        ("sqlite:///{other}", r"of another program \(it has the tables runs\); name another", 2),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_one_line(
    url: str, said: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("neither a database nor empty " * 100)
    with closing(sqlite3.connect(tmp_path / "old")) as old:
        old.execute("CREATE TABLE search_searches (search TEXT, fingerprint TEXT)")
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE runs (name TEXT)")
    for name, settings in {"cut": "{}", "garbled": "{oops", "list": "[1]"}.items():
        Store(url_of(tmp_path / name), "name").open({})
        with closing(sqlite3.connect(tmp_path / name)) as written:
            written.execute("UPDATE search_searches SET settings = ?", (settings,))
            written.commit()
    cut = (tmp_path / "cut").read_bytes()
    (tmp_path / "cut").write_bytes(cut[: len(cut) // 2])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    names = {"port": free_port(), **{path.name: path for path in before}}
    with pytest.raises(L1DistillError) as refused:
        Store(url.format(**names), "name").open({})
    line = str(refused.value)
    assert line.startswith("search.database=")
    assert re.search(said, line)
    assert "\n" not in line
    assert not re.search(r"s3cret|sqlalche|sqlite3|psycopg\.|Background on this error", line)
    assert refused.value.exit_status == status
    assert before[tmp_path / "other"] == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("said", "words", "status"),
    [
        ("(1049, \"Unknown database 'n'\")", "there is no database of this name", 2),
        ("(1054, \"Unknown column 'search_tasks.cpu' in 'field list'\")", "of another version", 2),
        ("(1142, \"INSERT command denied to user 'u'@'h'\")", "may not do that", 1),
    ],
)
def test_what_mysql_says_is_said_in_words(said: str, words: str, status: int) -> None:
    """As MariaDB 10.11 has it, of users with other rights and tables of another version."""
    with (
        pytest.raises(
            L1DistillError, match=rf"^search.database=mysql://h/n: [^0-9]*{words}"
        ) as refused,
        database_errors("mysql://h/n"),
    ):
        raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception(said))
    assert refused.value.exit_status == status


def test_what_failed_is_recorded_and_stops_nothing(store: Store, problem: Problem) -> None:
    features = problem.validation.features.copy()
    features[0, 0] = np.nan
    broken = replace(problem, validation=replace(problem.validation, features=features))
    plan = plan_of()
    work(store, plan, broken)
    outcomes = store.outcomes()
    assert [one.loss for one in outcomes] == [None] * CANDIDATES
    assert Course(plan, store).finished() == []


def test_those_on_the_front_go_on() -> None:
    losses = [3.0, 1.0, 2.0, float("nan"), 1.5, 4.0]
    costs = [[1.0], [9.0], [8.0], [0.0], [9.5], [1.0]]
    points = [[loss, *cost] for loss, cost in zip(losses, costs, strict=True)]
    assert non_dominated(points[:3]).tolist() == [True, True, True]
    assert non_dominated([[1, 1], [1, 1], [2, 0]]).tolist() == [True, False, True]
    assert survivors(losses, costs, 2.5, keep_front=False) == [1, 4]
    assert survivors(losses, costs, 2.5, keep_front=True) == [0, 1, 2, 4]
    assert survivors([float("nan")], [[]], 2.0, keep_front=True) == []


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_samplers_learn_from_what_they_are_told(sampler: Any) -> None:
    def draw(trial: Any) -> None:
        for name in "abcde":
            trial.suggest_float(name, -1.0, 1.0)

    def loss(one: Draw) -> float:
        return sum((value - 0.7) ** 2 for value in one.values.values())

    earlier: list[Draw] = []
    for generation in range(8):
        options: dict[str, Any] = {"objectives": 1, "population": 20, "seed": [1, generation]}
        asked = ask(sampler, earlier, draw, 20, **options)
        if generation == 1:
            assert asked == ask(sampler, earlier, draw, 20, **options), "whoever asks"
        earlier += [replace(one, told=[loss(one)]) for one in asked]
    assert np.median([*map(loss, earlier[-20:])]) < 0.5 * np.median([*map(loss, earlier[:20])])


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
    monkeypatch.setattr(search_workers, "_leave_signals_to_parent", lambda: None)
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

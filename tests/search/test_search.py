"""Whole searches on made-up items: each strategy, and what a killed one leaves."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.evaluation.searches import read_search
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.search.halving import non_dominated, survivors
from l1distill.search.importances import importances
from l1distill.search.network import network_of
from l1distill.search.plan import COSTS, Course
from l1distill.search.problem import Problem
from l1distill.search.records import Drawn, Outcome
from l1distill.search.sampling import Draw, ask
from l1distill.search.snapshot import Snapshot
from l1distill.search.store import Store
from l1distill.search.tables import write_candidates, write_progress
from l1distill.search.weights import to_student
from l1distill.search.worker import STAGE_NS, pruned, work
from tests.search.searches import CANDIDATES, SETTINGS, plan_of
from tests.search.test_trainer import EXPONENTS


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
    # a constant is cheap, and no answer
    assert survivors([9.0, *losses], [[0.0, 0.0], *costs], 3.0, keep_front=True) == [1, 2, 3, 5]
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

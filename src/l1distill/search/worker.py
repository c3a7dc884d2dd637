"""A worker of a search: takes tasks until none is left, and decides what follows when all are done.

Workers know one another by the database alone: each may come, go and die at any time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np

from l1distill.firmware.cost import estimate
from l1distill.search.candidate import Candidate
from l1distill.search.masks import magnitude_masks
from l1distill.search.network import network_of
from l1distill.search.plan import Course, Plan
from l1distill.search.problem import Problem
from l1distill.search.records import Outcome, Task
from l1distill.search.signs_of_life import LOST_S, worker_name
from l1distill.search.snapshot import Snapshot
from l1distill.search.store import Store
from l1distill.search.trainer import Trainer
from l1distill.search.weights import Layers, starting_weights

STAGE_NS = 3.5
"""Budget of delay for a pipeline stage, ``firmware.latency_cutoff_ns`` of the firmware [ns]."""
WAIT_S = 0.5
"""Between two looks at the database, while others are busy [s]."""


def work(
    store: Store,
    plan: Plan,
    problem: Problem,
    on_task: Callable[[Sequence[Outcome]], None] = lambda _: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Take part in a search until it is finished, or stopped.

    Args:
        store: of the search; opened.
        plan: what decides it.
        problem: what candidates learn.
        on_task: is told what came of each task that this worker did.
        is_stopped: tells before each task whether to leave.
    """
    worker = _Worker(store, plan, problem)
    while not is_stopped() and worker.step(on_task):
        pass


class _Worker:
    def __init__(self, store: Store, plan: Plan, problem: Problem) -> None:
        self._store, self._plan, self._problem = store, plan, problem
        self._name = worker_name()
        self._trainer: Trainer | None = None

    def step(self, on_task: Callable[[Sequence[Outcome]], None]) -> bool:
        """Do one task, or decide what follows, or wait for others.

        Returns:
            Whether there is anything left.
        """
        course = Course(self._plan, self._store)
        for task in course.open_tasks:
            if self._store.claim(task, self._name):
                before = time.process_time()
                with self._alive(task):
                    outcomes = self._train(course, task)
                spent = time.process_time() - before
                if self._store.finish(task, self._name, outcomes, spent):
                    on_task(outcomes)
                return True
        if course.open_tasks:
            time.sleep(WAIT_S)
            return True
        decision = course.next()
        if not decision.tasks:
            return False
        self._store.add(decision)
        return True

    @contextmanager
    def _alive(self, task: Task) -> Iterator[None]:
        """Show life from time to time while a task is done."""
        over = Event()

        def show() -> None:
            while not over.wait(LOST_S / 6):
                self._store.show_life(task, self._name)

        thread = Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _train(self, course: Course, task: Task) -> list[Outcome]:
        if self._trainer is None:
            self._trainer = self._problem.trainer(self._plan)
        trainer, rung = self._trainer, task.step.rung
        candidates = [course.candidate(number) for number in task.members]
        if rung:
            stored = (self._store.snapshot(number, rung - 1) for number in task.members)
            snapshots = [Snapshot.from_bytes(content) for content in stored]
        else:
            snapshots = [
                Snapshot.begin(starting_weights(one, trainer.features, trainer.outputs))
                for one in candidates
            ]
        until = self._plan.settings.until
        trained = trainer.train(candidates, snapshots, until[rung], task.hidden)
        is_last = rung == len(until) - 1
        judged: list[dict[str, float]] = [{}] * len(trained)
        if is_last:
            judged = self._judge(trainer, candidates, trained, task.hidden)
        return [
            Outcome(
                number=number,
                rung=rung,
                epochs=one.epochs,
                loss=None if one.failed else _loss(one, is_last),
                costs={} if one.failed else self._costs(candidate, one),
                metrics={} if one.failed else metrics,
                snapshot=one.to_bytes(),
            )
            for number, candidate, one, metrics in zip(
                task.members, candidates, trained, judged, strict=True
            )
        ]

    def _judge(
        self,
        trainer: Trainer,
        candidates: Sequence[Candidate],
        trained: Sequence[Snapshot],
        hidden: Sequence[int],
    ) -> list[dict[str, float]]:
        samples = {name: features for name, (features, _) in self._problem.samples.items()}
        if not samples:
            return [{}] * len(trained)
        # all at once: samples of other sizes would be other graphs
        together = np.concatenate([*samples.values()])
        weights = [one.best for one in trained]
        given = trainer.answers(candidates, weights, together, hidden)
        ends = np.cumsum([len(features) for features in samples.values()])
        parts = np.split(given, ends[:-1], axis=1)
        answers = dict(zip(samples, parts, strict=True))
        return [
            self._problem.metrics({name: given[number] for name, given in answers.items()})
            if not one.failed
            else {}
            for number, one in enumerate(trained)
        ]

    def _costs(self, candidate: Candidate, snapshot: Snapshot) -> dict[str, float]:
        if not candidate.rounds:
            return {}
        layers = pruned(
            snapshot.best, candidate.sparsity, prune_output=self._plan.pruning.prune_output
        )
        network = network_of(candidate.student, layers, self._problem.exponents)
        cost = estimate(network, STAGE_NS)
        return {
            "lut_estimate": cost.lut_estimate,
            "latency_cycles_estimate": cost.latency_cycles_estimate,
            "bit_operations": cost.bit_operations,
        }


def _loss(snapshot: Snapshot, is_last: bool) -> float:
    """Return the validation loss of the weights that are kept, or on the way the last one."""
    if is_last and np.isfinite(snapshot.best_loss):
        return snapshot.best_loss
    return snapshot.history.validation_loss[-1]


def pruned(layers: Layers, sparsity: float, *, prune_output: bool = True) -> Layers:
    """Return weights as sparse as they are going to be, where they are not yet."""
    if not sparsity:
        return layers
    kernels = [kernel[None] for kernel, _ in layers]
    sizes = [[kernel.size for kernel, _ in layers]]
    masks = magnitude_masks(kernels, sizes, [np.float32(sparsity)], prune_output=prune_output)
    return [(kernel * mask[0], bias) for (kernel, bias), mask in zip(layers, masks, strict=True)]

"""The course of a search: what is drawn, and who goes on, decided by what is recorded alone.

Any worker may take the next decision: it is the same whoever takes it, and recorded once.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from l1distill.compression.pruning import PruningSettings
from l1distill.models.mlp import StudentSettings
from l1distill.search.buckets import Work, populations
from l1distill.search.candidate import Candidate
from l1distill.search.halving import evenly, on_front, survivors
from l1distill.search.records import Decision, Drawn, Outcome, Step, Task
from l1distill.search.sampling import Draw, ask, number_of
from l1distill.search.settings import SearchSettings, Strategy
from l1distill.search.space import Phase, one_for_all
from l1distill.search.store import Store

COSTS = ("lut_estimate", "latency_cycles_estimate")
"""Estimates that a front is about, beside the loss."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What decides a search.

    Attributes:
        strategy: ``post``: layers first, in floating point, then types for the best of them;
            ``co``: both at once; ``front``: likewise, judged by loss and cost.
        settings: of the search.
        base: the student, as far as it is not searched.
        features: numbers that a candidate reads.
        outputs: numbers that it answers.
        items: of the training split, pseudo-items among them.
        seed: of everything that is drawn.
        prune_output: whether the last layer is pruned, too.
    """

    strategy: Strategy
    settings: SearchSettings
    base: StudentSettings
    features: int
    outputs: int
    items: int
    seed: int
    prune_output: bool = True

    @property
    def pruning(self) -> PruningSettings:
        """When candidates are pruned, and which layers."""
        return self.settings.pruning.model_copy(update={"prune_output": self.prune_output})

    @cached_property
    def phases(self) -> list[tuple[Phase, int]]:
        """What is searched one after the other, with numbers of candidates."""
        number = self.settings.candidates
        if self.strategy == "post":
            return [("architecture", (number + 1) // 2), ("quantization", number // 2)]
        return [("both", number)]

    def objectives(self, phase: int) -> int:
        """Return how many numbers a candidate of a phase is judged by."""
        return 1 + len(COSTS) if self.strategy == "front" else 1


class Course:
    """A search as it is recorded at a moment."""

    def __init__(self, plan: Plan, store: Store) -> None:
        """Read the records."""
        self.plan = plan
        self.drawn = {one.number: one for one in store.candidates()}
        # another worker may add a generation between these reads: it is left for the next course
        self.tasks = [task for task in store.tasks() if self.drawn.keys() >= set(task.members)]
        self.outcomes: dict[int, Outcome] = {}
        self.first: dict[int, Outcome] = {}
        for one in store.outcomes():  # by rung: the last one stays
            if one.number in self.drawn:
                self.outcomes[one.number] = one
                self.first.setdefault(one.number, one)
        self._bases: dict[int, StudentSettings] = {}

    @property
    def open_tasks(self) -> list[Task]:
        """Tasks that are not done."""
        return [task for task in self.tasks if not task.done]

    @cached_property
    def _waiting(self) -> frozenset[int]:
        """Numbers of the candidates of open tasks, and of a rung that is not decided yet."""
        waiting = {number for task in self.open_tasks for number in task.members}
        step = max((task.step for task in self.tasks), default=None)
        if step is not None and step.rung < len(self.plan.settings.rungs):
            waiting |= {*self._members(step)}
        return frozenset(waiting)

    def base(self, phase: int) -> StudentSettings:
        """Return what candidates of a phase begin with: the best of the phase before it."""
        if phase not in self._bases:
            self._bases[phase] = self._base(phase)
        return self._bases[phase]

    def _base(self, phase: int) -> StudentSettings:
        if phase == 0:
            return self.plan.base
        best = self.best(phase - 1)
        layers = best.student.layers if best is not None else self.plan.base.layers
        changes = {**one_for_all(self.plan.base), "layers": layers}
        return StudentSettings.model_validate({**dict(self.plan.base), **changes})

    def best(self, phase: int) -> Candidate | None:
        """Return the candidate of a phase with the least loss among those trained longest."""
        ranked = [one for one in self.ranked() if self.drawn[one.number].phase == phase]
        return self.candidate(ranked[0].number) if ranked else None

    def ranked(self) -> list[Outcome]:
        """Return what came of each candidate that did not fail: trained longest and best first."""
        good = [one for one in self.outcomes.values() if one.loss is not None]
        return sorted(good, key=lambda one: (-one.rung, one.loss, one.number))

    def finished(self) -> list[Outcome]:
        """Return those of the last phase that were trained in full, best first."""
        last = len(self.plan.phases) - 1
        rung = len(self.plan.settings.rungs)
        return [
            one
            for one in self.ranked()
            if one.rung == rung and self.drawn[one.number].phase == last
        ]

    def state(self, number: int) -> str:
        """Return ``waiting``, ``failed``, ``stopped`` or ``finished``."""
        outcome = self.outcomes.get(number)
        if outcome is None:
            return "waiting"
        if outcome.loss is None:
            return "failed"
        if outcome.rung == len(self.plan.settings.rungs):
            return "finished"
        return "waiting" if number in self._waiting else "stopped"

    def front(self) -> list[Outcome]:
        """Return those of them that no other is better than in loss and cost, cheapest first."""
        finished = self.finished()
        if not finished:
            return []
        costs = [[one.costs[name] for name in COSTS] for one in finished]
        losses = [one.loss for one in finished if one.loss is not None]
        kept = itertools.compress(finished, on_front(losses, costs))
        return sorted(kept, key=lambda one: one.costs[COSTS[0]])

    def candidate(self, number: int) -> Candidate:
        """Return a candidate."""
        drawn = self.drawn[number]
        phase, _ = self.plan.phases[drawn.phase]
        base = self.base(drawn.phase)
        training = self.plan.settings.training
        base = base.model_copy(update={"training": training})
        seed = number_of([self.plan.seed, number])
        return self.plan.settings.space.candidate(drawn.values, phase, base, seed)

    def finalists(self, number: int) -> list[Outcome]:
        """Return the best by validation loss; of a front those spread over it, from the best on."""
        if self.plan.strategy != "front":
            return self.finished()[:number]
        front = {one.number for one in self.front()}
        return evenly([one for one in self.finished() if one.number in front], number)

    def next(self) -> Decision:
        """Decide what follows when all tasks are done."""
        if not self.tasks:
            return self._generation(Step(phase=0, generation=0, rung=0))
        step, last = max(task.step for task in self.tasks), len(self.plan.settings.rungs)
        if step.rung < last:
            members, survivors = self._members(step), self._survivors(step)
            if survivors:
                on = Step(phase=step.phase, generation=step.generation, rung=step.rung + 1)
                tasks = self._divided(on, {number: self.candidate(number) for number in survivors})
                return Decision(tasks=tasks, dropped={step.rung: sorted({*members} - {*survivors})})
        for phase in range(step.phase, len(self.plan.phases)):
            generation = step.generation + 1 if phase == step.phase else 0
            decision = self._generation(Step(phase=phase, generation=generation, rung=0))
            if decision.tasks:
                kept = {one.number for one in self.finalists(self.plan.settings.finalists)}
                done = [one.number for one in self.outcomes.values() if one.rung == last]
                return replace(decision, dropped={last: sorted({*done} - kept)})
        return Decision()

    def _members(self, step: Step) -> list[int]:
        return sorted(number for task in self.tasks if task.step == step for number in task.members)

    def _survivors(self, step: Step) -> list[int]:
        members = self._members(step)
        of_each = [self.outcomes[number] for number in members]
        losses = [float("inf") if one.loss is None else one.loss for one in of_each]
        costs = [[one.costs[name] for name in COSTS if name in one.costs] for one in of_each]
        keep_front = step.rung == 0 or self.plan.strategy == "front"
        chosen = survivors(losses, costs, self.plan.settings.factor, keep_front=keep_front)
        return [members[place] for place in chosen]

    def _generation(self, step: Step) -> Decision:
        plan = self.plan
        phase, wanted = plan.phases[step.phase]
        earlier = [one for one in self.drawn.values() if one.phase == step.phase]
        number = min(plan.settings.generation, wanted - len(earlier))
        if number <= 0:
            return Decision()
        depth = len(self.base(step.phase).layers)
        asked = ask(
            plan.settings.sampler,
            [self._told(one) for one in sorted(earlier, key=lambda one: one.number)],
            lambda trial: plan.settings.space.draw(trial, phase, depth),
            number,
            objectives=plan.objectives(step.phase),
            population=plan.settings.generation,
            seed=[plan.seed, step.phase, step.generation],
        )
        drawn = [
            Drawn(
                number=len(self.drawn) + place,
                phase=step.phase,
                generation=step.generation,
                values=one.values,
                distributions=one.distributions,
                attributes=one.attributes,
            )
            for place, one in enumerate(asked)
        ]
        self.drawn |= {one.number: one for one in drawn}
        candidates = {one.number: self.candidate(one.number) for one in drawn}
        return Decision(drawn=drawn, tasks=self._divided(step, candidates))

    def _told(self, drawn: Drawn) -> Draw:
        outcome = self.outcomes.get(drawn.number)
        told: Sequence[float] | None = None
        if outcome is not None and outcome.loss is None:
            told = ()
        elif outcome is not None and outcome.loss is not None:
            costs = (outcome.costs[name] for name in COSTS)
            told = [outcome.loss, *costs] if self.plan.strategy == "front" else [outcome.loss]
        return Draw(
            values=drawn.values,
            distributions=drawn.distributions,
            attributes=drawn.attributes,
            told=told,
        )

    def _divided(self, step: Step, candidates: Mapping[int, Candidate]) -> list[Task]:
        """Divide candidates into the tasks of a step."""
        numbers = list(candidates)
        used = frozenset(tuple(task.hidden) for task in self.tasks)
        work = Work(
            features=self.plan.features,
            outputs=self.plan.outputs,
            items=self.plan.settings.epochs_ahead(step.rung) * self.plan.items,
            known=used,
        )
        divided = populations([candidates[number].widths for number in numbers], work)
        return [
            Task(
                step=step,
                place=place,
                hidden=widths,
                members=[numbers[member] for member in members],
            )
            for place, (widths, members) in enumerate(divided)
        ]

"""Final losses of candidates trained together, against those of ``model.fit``, pair by pair.

Run from the project's folder: ``python benchmarks/search_equivalence.py [candidates [events
[epochs]]]``. Candidates are drawn at random from the default space. Both sides begin with the same
weights and take the same batches; weights are pruned by tensorflow-model-optimization where
``model.fit`` trains. Rounding in another order grows over the steps, so that losses differ; whether
they are the same in the mean is what two one-sided t tests of their logarithm say.
"""

import math

import numpy as np
from recording import arguments, show
from rich.table import Table
from tensorflow import keras

from l1distill.compression.pruning import with_pruning
from l1distill.evaluation.equivalence import equivalence
from l1distill.models.mlp import StudentSettings
from l1distill.search.candidate import Candidate
from l1distill.search.plan import Plan
from l1distill.search.problem import Problem
from l1distill.search.sampling import ask
from l1distill.search.settings import SearchSettings
from l1distill.search.snapshot import Snapshot
from l1distill.search.weights import starting_weights, to_student
from search import BATCH, FEATURES, problem

SEED = 1
BOUND = math.log(1.05)
"""Mean ratio of losses that counts as the same."""


def drawn(plan: Plan) -> list[Candidate]:
    """Candidates at random, sorted by depth."""
    space, base = plan.settings.space, plan.base
    base = base.model_copy(update={"training": plan.settings.training})
    number = plan.settings.candidates
    options = {"objectives": 1, "population": number, "seed": [SEED]}
    asked = ask("random", [], lambda trial: space.draw(trial, "both"), number, **options)
    made = [space.candidate(one.values, "both", base, seed) for seed, one in enumerate(asked)]
    return sorted(made, key=lambda one: (len(one.widths), one.student.input_bits))


def together(plan: Plan, items: Problem, candidates: list[Candidate]) -> list[float]:
    """Least validation losses of candidates that are trained as populations of up to eight."""
    trainer, losses = items.trainer(plan), []
    for first in range(0, len(candidates), 8):
        for depth in sorted({len(one.widths) for one in candidates[first : first + 8]}):
            some = [one for one in candidates[first : first + 8] if len(one.widths) == depth]
            starts = [Snapshot.begin(starting_weights(one, FEATURES, 1)) for one in some]
            trained = trainer.train(some, starts, plan.settings.training.epochs)
            losses += [one.best_loss for one in trained]
    return losses


def alone(plan: Plan, items: Problem, candidate: Candidate) -> float:
    """Least validation loss of a candidate that ``model.fit`` trains."""
    train, held_out, training = items.train, items.validation, plan.settings.training
    pruning = candidate.pruning(plan.pruning)
    model = to_student(candidate.student, starting_weights(candidate, FEATURES, 1))
    steps = math.ceil(len(train.features) / BATCH)
    pruned = with_pruning(model, pruning, steps)
    rate = candidate.student.training.learning_rate
    pruned.model.compile(keras.optimizers.Adam(rate), loss="mse")
    least = math.inf
    for epoch in range(training.epochs):
        order = np.random.default_rng([SEED, epoch]).permutation(len(train.features))
        pruned.model.fit(
            train.features[order],
            train.targets[order],
            batch_size=BATCH,
            shuffle=False,
            callbacks=pruned.callbacks,
            verbose=0,
        )
        loss = pruned.model.evaluate(held_out.features, held_out.targets, BATCH, verbose=0)
        if epoch >= (pruning.end_epoch if candidate.sparsity else 0):
            least = min(least, float(loss))
    return least


def main() -> None:
    from scipy.stats import ks_2samp

    given = [int(word) for word in arguments()]
    number, events, epochs = (*given, *(36, 20_000, 10)[len(given) :])
    settings = SearchSettings.model_validate(
        {
            "candidates": number,
            "rungs": [],
            "training": {"epochs": epochs, "batch_size": BATCH, "patience": epochs},
            "begin_epoch": 1,
            "end_epoch": max(2, epochs // 2),
        }
    )
    plan = Plan(
        strategy="co",
        settings=settings,
        base=StudentSettings(),
        features=FEATURES,
        outputs=1,
        items=events,
        seed=SEED,
    )
    items, candidates = problem(events), drawn(plan)
    ours = np.array(together(plan, items, candidates))
    theirs = np.array([alone(plan, items, one) for one in candidates])
    sparse = np.array([one.sparsity > 0 for one in candidates])

    table = Table(title="final losses")
    columns = ("pairs", "median together", "median model.fit", "mean ratio", "90% interval")
    for column in ("candidates", *columns, "deviation", "p", "power"):
        table.add_column(column, justify="right" if column != "candidates" else "left")
    for name, chosen in (("all", sparse | ~sparse), ("unpruned", ~sparse), ("pruned", sparse)):
        found = equivalence(np.log(ours[chosen] / theirs[chosen]), BOUND)
        table.add_row(
            name,
            str(found.pairs),
            f"{np.median(ours[chosen]):.4g}",
            f"{np.median(theirs[chosen]):.4g}",
            f"{math.exp(found.mean):.4f}",
            f"{math.exp(found.low):.4f} to {math.exp(found.high):.4f}",
            f"{found.deviation:.3f}",
            f"{found.p:.1g}",
            f"{found.power:.2f}",
        )
    same = int((np.abs(np.log(ours / theirs)) < BOUND).sum())
    notes = [
        f"{number} candidates of the default space at random, {events:,} events, {epochs} epochs "
        f"in full, batches of {BATCH}; least validation loss of the epochs whose weights count.",
        "Two one-sided t tests of the logarithm of the ratio, bounds 1/1.05 and 1.05, level 5%; "
        "power: the chance to find them the same if they are, with this deviation.",
        f"{same} of {number} losses are within 5% of one another. Kolmogorov-Smirnov test of both "
        f"distributions: p = {ks_2samp(ours, theirs).pvalue:.2g}, which a difference would make "
        "small.",
    ]
    show("search_equivalence", table, notes)


if __name__ == "__main__":
    main()

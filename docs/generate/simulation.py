"""Render what the simulation leaves out and what was found about it, from the generator's data."""

from docs.generate.text import bullets, table
from l1distill.data.card import Ablation
from l1distill.tasks.anomaly.generator.notes import ablation_findings, limitations
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.plots.style import plain_name

PAGE = """\
# What the simulation leaves out

The events come from PYTHIA 8 in the published mix, with 20 pileup collisions and a fast simulation
of the CMS detector. They stand in for the public data set of
[arXiv:2107.02157](https://arxiv.org/abs/2107.02157), which was made with Delphes. They are not the
same events, and the AUC of a teacher on them is lower than the published one. This page says what
is left out and what was found about the difference. It is made from what the generator writes into
each data card (`data/anomaly/card.json`).

## Left out

{missing}
## Measured

Each row is a data set with the stated number of training events and one thing changed, and a CNN AE
trained on it. `python benchmarks/ablations.py FOLDER` makes the table anew.

{ablations}
## Found

{findings}
Figures of ours are therefore to be read against each other, student against teacher, rather than
against the paper's.
"""


def ablation_table(ablations: list[Ablation]) -> str:
    """Return the table of ablations, a change a row."""
    signals = list(ablations[0].auc)
    columns = (
        "change",
        "training events",
        *(f"AUC {plain_name(name)}" for name in signals),
        "jets per event",
        "mean MET [GeV]",
    )
    return table(
        columns,
        (
            (
                one.change,
                f"{one.train:,}",
                *(f"{one.auc[name]:.3f} ± {one.auc_error[name]:.3f}" for name in signals),
                f"{one.jets_per_event:.2f}",
                f"{one.met_mean_gev:.1f}",
            )
            for one in ablations
        ),
    )


def page() -> str:
    """Return the page on what the simulation leaves out, with the default settings.

    Raises:
        ValueError: the ablations were measured with other settings.
    """
    ablations, findings = ablation_findings(GeneratorSettings())
    if not ablations:
        raise ValueError("the ablation study is one of other settings; measure it again")
    return PAGE.format(
        missing=bullets(limitations()),
        ablations=ablation_table(ablations),
        findings=bullets(findings),
    )

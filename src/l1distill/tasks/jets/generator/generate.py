"""Generate a whole data set of jets: plan the shards, have them made, assemble the file."""

from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, SampleCard, write_card
from l1distill.simulation.jobs import (
    Progress,
    derive_seed,
    make_job_folder,
    package_versions,
    run_jobs,
)
from l1distill.tasks.jets.checks import check, check_scale
from l1distill.tasks.jets.dataset import B_HADRONS, LABEL, SAMPLE
from l1distill.tasks.jets.features import NAMES
from l1distill.tasks.jets.generator.plan import SAMPLES, fingerprint, plan_shards, process_of
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.generator.shard import make_job, read_shard
from l1distill.tasks.jets.jet_files import EVENT, JetTable, write_jets

_LIMITATIONS = (
    "Leading order only: no matching to matrix elements with more jets.",
    "No pileup.",
    "QCD jets are those of HardQCD:all; g + b -> H + b is the only production of the Higgs boson.",
    "Charged particles do not bend on their way to the calorimeters; collisions have no spread "
    "along the beam, and impact parameters are those of straight lines to the beam.",
    "The resolution of impact parameters is 30 um and 120 um GeV / pT in quadrature, without tails "
    "or fake tracks; K0S and Lambda do not decay.",
    "Several jets of one QCD collision may be in the data, all in the same split.",
    "Jets are calibrated to their particles without neutrinos, by QCD jets: those of b quarks, "
    "whose decays give neutrinos, stay below their quarks' energy.",
)
_NO_MPI = "Multi-parton interactions are left out (mpi = off)."


def generate(
    settings: GeneratorSettings,
    output: Path,
    executor: Executor,
    progress: Progress | None = None,
    work: Path | None = None,
) -> Card:
    """Generate signal and background jets into a folder.

    The result depends on the settings alone, not on the executor or the number of its workers.
    Finished shards stay in the work folder: a run that was killed takes them up again and ends in
    the same bytes.

    Args:
        settings: What to generate.
        output: Folder of the data set; made if need be.
        executor: Runs the shards; its workers must see the work folder.
        progress: see :func:`.jobs.run_jobs`.
        work: Folder for ``shards``; ``output`` with ``.work`` appended if None.

    Returns:
        The data card, also written to ``card.json``.
    """
    versions = package_versions()
    folder = make_job_folder(output, work, fingerprint(settings, versions))
    shards = plan_shards(settings)
    run_jobs(make_job, settings, [shards], folder, executor, progress)
    output.mkdir(parents=True, exist_ok=True)
    jets, labels, hadrons, events, samples = [], [], [], [], {}
    compared, collisions = {}, 0
    for label, sample in enumerate(SAMPLES):
        made = [read_shard(folder, shard) for shard in shards if shard.sample == sample]
        jets += [content.jets for content in made]
        hadrons += [content.b_hadrons for content in made]
        for content in made:
            events.append(collisions + content.event)
            collisions = int(events[-1].max()) + 1
        compared[sample] = np.concatenate([content.compared for content in made])
        found = sum(len(content.jets) for content in made)
        tried = sum(int(content.tried) for content in made)
        labels.append(np.full(found, label, np.int8))
        samples[sample] = SampleCard(
            events=found,
            tried=tried,
            acceptance=sum(int(content.passed) for content in made) / tried,
            settings=list(process_of(sample, settings).commands),
            truth_mass=None,
        )
    total = sum(map(len, labels))
    order = np.random.default_rng(derive_seed(settings.seed, "shuffle", 0)).permutation(total)
    table = JetTable(
        jets=np.concatenate(jets)[order],
        names=NAMES,
        columns={
            LABEL: np.concatenate(labels)[order],
            B_HADRONS: np.concatenate(hadrons)[order],
            EVENT: np.concatenate(events)[order],
        },
    )
    counts = write_jets(output / f"{SAMPLE}.h5", table)
    card = Card(
        dataset="jets",
        settings=settings.model_dump(mode="json"),
        versions=versions,
        files={SAMPLE: FileCard(**counts, sha256=file_sha256(output / f"{SAMPLE}.h5"))},
        samples=samples,
        checks={**check(table), **check_scale(compared)},
        missing=[*_LIMITATIONS, *([_NO_MPI] if settings.mpi == "off" else [])],
    )
    write_card(output, card)
    return card

"""Take the figures of the pipeline and of ``l1distill paper`` into the documentation's records.

``make results`` runs it in the project's folder, after ``make repro``: ``docs/results/quick.json``
comes from the pipeline's outputs, ``docs/results/paper.md`` from ``outputs/govorkova/paper`` if
that is there, and so do other studies, sweeps and the pipeline of the jets task
(``docs/results/jets.json``). Then the pages that are made from the records, and the README's
table, are written.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from docs.generate import jets, pages
from docs.generate.results import read
from l1distill.core.workspace import write_json, write_text

OUTPUTS = {
    "generate": "data/anomaly",
    "teacher": "models/teacher",
    "student": "models/student",
    "synthesize": "firmware/student",
    "promote": "promotion",
}
STUDIES = {
    "paper": Path("outputs/govorkova/paper"),
    "autopruner": Path("outputs/autopruner/paper"),
    "search": Path("outputs/searches/paper"),
    "pileup": Path("outputs/pileup/paper"),
}
"""What ``l1distill paper`` wrote, by the name of its page of results."""
WITH_PICTURES = ("search", "pileup")
"""Those of them whose pictures are taken over; the names of these begin with that of the page."""
TITLES = {
    "distillation_comparison": "Which distillation to use",
    "pseudo_events": "Students with and without pseudo-events",
    "reduction_comparison": "How to make a student small",
    "front": "Small students beside their teacher",
    "jets_reduction": "How small a student of jets can be",
}
"""Sweeps of ``l1distill pipeline``, below ``outputs/``, whose tables are pages of results."""

CAVEATS = {
    "search": "Candidates learned the scores of the CNN AE, with four pseudo-events beside each "
    "background event; its AUC is .907 (a_4l), .729 (h0_tautau), .922 (hch_taunu) and .880 "
    "(lq_btau). The finalists of co and post, trained anew with two seeds each, have the same AUC "
    "within .005: .883 to .885 (lq_btau), .907 to .910, .727 to .732, .923 to .926, at 76,000 to "
    "180,000 LUTs by estimate. **front shows what is as good and small**: of its candidates with "
    "the fewest LUTs for their loss, one of 866 LUTs by estimate has .896, .911, .736 and .926, "
    "and one of 1,048 .896, .909, .733 and .925, each trained once; of the small students of "
    "[another page](front.md), whose nodes and inputs were switched off in training, each of four "
    "seeds is as good at 667 to 803 LUTs by yosys. The finalists of hgq have .889 to .895, .905 "
    "to .910, .724 to .733 and .924 to .928 at 2,400 to 8,500 LUTs by estimate. In the end, "
    "within 2,000 LUTs by estimate front has .22 of validation loss after 376 CPU seconds and hgq "
    ".26 after 56; within 5,000 front has .20, hgq .18, co .27, and post none. The equal compute "
    "below is that of hgq, when the others had trained few in full. The machine did other work "
    "meanwhile.",
    "autopruner": "On a quarter of these jets, in an earlier session, networks of 19 nodes whose "
    "scores were trained differed by .0036 over twenty seeds, larger budgets did worse by up to "
    ".0033 than smaller ones, and distillation added more (.004 to all 192 nodes). Four features "
    "that AutoPruner finds are as good as the four of permutation importance, not 0.004 better as "
    "was hoped: all 38 features together are hardly that much better, and eight less so. With the "
    "learning rate that was chosen for autopruner, sigmoid gates leave two nodes of the first "
    "layer, and one network of magnitude, of five, answers a constant.",
    "front": "**Not a blind choice.** The settings of these students were found in some ninety "
    "trials on the same data set, with seeds among those below, and the AUC on its signals was "
    "looked at: the cap of the score, the bits, and batches of 1,024. Students of other data or "
    "seeds may be a little worse than these rows.\n\n"
    "**Confirmed with fresh seeds.** front_1000 was trained with four seeds that no trial had "
    "(10 to 13), once: 650, 696, 659 and 694 LUT, 20 ns each, all four within 0.01 of the teacher "
    "on every signal (the worst of each signal: A -> 4l -.0028, h0 -.0064, h+- -.0078, LQ +.0138). "
    "The one with the least validation loss (11) has .99 to 1.30 times the teacher's TPR at FPR "
    "1e-2, as that among the rows below has (3: 785 LUT, 1.01 to 1.25); the worst of them has .29, "
    "so **train a few seeds and take the one with the least validation loss**. front_wide had four "
    "such seeds in an earlier session: 1,526 to 1,806 LUT, 20 to 30 ns, all within 0.01, TPR at "
    "least .81 times the teacher's; one of the four below takes 30 ns.\n\n"
    "**Within 15 ns** there is a student, and no recipe. front_500 with `compression.sparsity=0.85 "
    "student.training.epochs=90 firmware.latency_cutoff_ns=4.2` was trained with 8 and with 10 "
    "nodes, four seeds each, once. The one with the least validation loss of the eight (10 nodes, "
    "seed 3) takes 358 LUT and 15 ns and is within 0.01 on every signal (+.0023, +.0001, -.0044, "
    "+.0121), with .33 to .86 of the teacher's TPR at FPR 1e-2; so is one more (8 nodes, 327 LUT). "
    "The other six are worse by up to .07 on one signal: they give their largest score to so many "
    "events that none is left at the working point.",
    "pileup": "High labels count 7 times in the loss of the students in floating point and 5 times "
    "in that of 8 bits, chosen on [other events](../explanation/pileup.md). Counted 3 times, as "
    "published, they leave jets a low scale, which was first seen on these test events, with one "
    "seed. The bounds are met by means over seeds: one teacher alone is above its bound in jets, "
    "and one 8-bit student in missing pT. Resolutions are of the same test events for all "
    "seeds. What a teacher's seed does to jets is larger than the errors of test events: its "
    "epoch is chosen on some two hundred validation events. The published accuracy cannot be "
    "compared: with true shares in the loss the students' weights lie where the teacher's do not. "
    "Times are CPU times on a busy machine.",
}
"""What a reader of the figures of a sweep or a study has to know before them."""


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def output_hashes(lock: Path) -> dict[str, str]:
    """Return the MD5 of each output folder of the pipeline, as ``dvc.lock`` has it."""
    stages = OmegaConf.load(lock).stages
    hashes = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
    return {path: hashes[path] for path in OUTPUTS.values()}


def quick_record(root: Path) -> dict[str, Any]:
    """Read everything that the page on the pipeline shows from the outputs of the pipeline."""
    from l1distill.tasks.anomaly import published
    from l1distill.tasks.anomaly.plots.style import plain_name

    folders = {stage: root / path for stage, path in OUTPUTS.items()}
    card = read(folders["generate"] / "card.json")
    synthesis = read(folders["synthesize"] / "synthesis.json")
    verdict = read(folders["promote"] / "verdict.json")
    signals = [name for name in card["files"] if name != "background"]
    return {
        "command": "make repro",
        "commit": _commit(),
        "dataset_md5": read(folders["teacher"] / "record.json")["dataset_md5"],
        "seed": card["settings"]["seed"],
        "background": card["settings"]["background"],
        "signal": card["settings"]["signal"],
        "outputs": output_hashes(root / "dvc.lock"),
        "signals": [
            {"name": name, "title": plain_name(name), "published": published.AUC[name]}
            for name in signals
        ],
        "published_source": published.PAPER,
        "why": published.WHY_OURS_DIFFER,
        "device": synthesis["device"],
        "metrics": {stage: read(folder / "metrics.json") for stage, folder in folders.items()},
        "entries": synthesis["entries"],
        "gates": verdict["gates"],
    }


def main() -> int:
    """Write the records and the README's table; says what is missing."""
    root = Path.cwd()
    missing = [path for path in OUTPUTS.values() if not (root / path / "metrics.json").is_file()]
    if missing:
        print(f"{missing[0]}: not there; run make repro first", file=sys.stderr)
        return 2
    record = quick_record(root)
    write_json(root / "docs/results/quick.json", record)
    print("docs/results/quick.json: from the outputs of the pipeline")
    for name, folder in STUDIES.items():
        if (root / folder / "report.md").is_file():
            write_text(root / f"docs/results/{name}.md", study_page(root / folder, name))
            for picture in (root / folder).glob("plots/*.png") if name in WITH_PICTURES else ():
                shutil.copyfile(picture, root / "docs/results" / picture.name)
            print(f"docs/results/{name}.md: from l1distill paper")
    of_jets = root / jets.PIPELINE
    if (of_jets / jets.OUTPUTS["promote"] / "verdict.json").is_file():
        write_json(jets.RECORD, jets.jets_record(of_jets, record["commit"]))
        jets.take_pictures(of_jets, jets.RECORD.parent)
        print("docs/results/jets.json: from the outputs of the jets pipeline")
    for name in TITLES:
        if (root / "outputs" / name / "comparison.md").is_file():
            write_text(root / f"docs/results/{name}.md", sweep_page(root / "outputs" / name))
            print(f"docs/results/{name}.md: from l1distill pipeline")
    for path in pages.write_committed():
        print(f"{path.relative_to(root)}: written anew")
    return 0


def study_page(folder: Path, name: str) -> str:
    """Return the tables of a study, with what they were made from.

    Args:
        folder: output of ``l1distill paper``.
        name: of the page; ``paper`` is part of another, and has no title.
    """
    report = folder / "report.md"
    md5 = read(folder / "record.json")["dataset_md5"]
    title = report.read_text(encoding="utf-8").splitlines()[0]
    note = (
        f"Written by `l1distill paper`, data set MD5 `{md5[:12]}`, recorded at commit "
        f"`{_commit()[:12]}`.\n\n"
    )
    heading = "" if name == "paper" else f"{title}\n\n"
    return heading + note + _caveat(name) + as_part(report, pictures=name in WITH_PICTURES)


def sweep_page(folder: Path) -> str:
    """Return the tables and the ranking of a sweep, with what they were made from."""
    record = read(min(folder.glob("*/student/record.json")))
    command = f"l1distill pipeline experiment={folder.name}"
    return (
        f"# {TITLES[folder.name]}\n\nWritten by `{command}` and taken over by `make results`, data "
        f"set MD5 `{record['dataset_md5'][:12]}`, recorded at commit `{_commit()[:12]}`.\n\n"
        + _caveat(folder.name)
        + as_part(folder / "comparison.md")
    )


def _caveat(name: str) -> str:
    return f"{CAVEATS[name]}\n\n" if name in CAVEATS else ""


def as_part(report: Path, *, pictures: bool = False) -> str:
    """Return the tables of a report without its title, and mostly without its pictures.

    Args:
        report: its Markdown.
        pictures: whether they are taken over, into the folder of the page.
    """
    lines = report.read_text(encoding="utf-8").splitlines()
    left_out = "# " if pictures else ("# ", "![")
    kept = [line.replace("](plots/", "](") for line in lines if not line.startswith(left_out)]
    return "\n".join(kept).strip() + "\n"


if __name__ == "__main__":
    sys.exit(main())

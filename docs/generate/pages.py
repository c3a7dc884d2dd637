"""Gather what is generated: pages that are committed, and parts that are made at each build.

``python -m docs.generate.pages`` writes the committed ones; a test holds them to what this module
makes. The others go to ``docs/_generated`` when the documentation is built.
"""

from pathlib import Path

from docs.generate import (
    api,
    cli,
    configuration,
    faults,
    gates,
    jets,
    layers,
    metrics,
    packages,
    pictures,
    results,
    simulation,
)

DOCS = Path(__file__).parents[1]
GENERATED = DOCS / "_generated"


def committed() -> dict[Path, str]:
    """Return the files that are kept in git, to be read without a build."""
    quick = results.read(results.QUICK)
    paper = results.PAPER.read_text(encoding="utf-8") if results.PAPER.is_file() else None
    benchmarks = {
        path.stem: results.read(path) for path in sorted(results.BENCHMARKS.glob("*.json"))
    }
    return {
        results.README: results.in_readme(results.README.read_text(encoding="utf-8"), quick),
        DOCS / "results/quick.md": results.quick_page(quick),
        DOCS / "results/study.md": results.study_page(results.read(results.STUDY), paper),
        DOCS / "results/jets.md": jets.page(results.read(jets.RECORD)),
        DOCS / "results/benchmarks.md": results.benchmarks_page(benchmarks),
        DOCS / "reference/faults.md": faults.page(),
        DOCS / "explanation/simulation.md": simulation.page(),
        pictures.PIPELINE: pictures.pipeline(),
    }


def generated() -> dict[Path, str]:
    """Return the parts of pages that a build makes."""
    parts = {
        "api.md": api.page,
        "cli.md": cli.page,
        "configuration.md": configuration.page,
        "gates.md": gates.page,
        "layers.md": layers.page,
        "metrics.md": metrics.page,
        "packages.md": packages.page,
        "layers.svg": packages.picture,
    }
    return {GENERATED / name: part() for name, part in parts.items()}


def write(files: dict[Path, str]) -> list[Path]:
    """Write the files that are not so already, and return them."""
    changed = []
    for path, content in files.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed


def write_committed() -> list[Path]:
    """Write the committed pages that differ, and return them."""
    return write(committed())


if __name__ == "__main__":
    for written in write_committed():
        print(written)

"""pipeline: a job takes a student through training and firmware to the verdict of the gates."""

import sys

from l1distill.stages.pipeline_settings import Pipeline, Settings


def _run(settings: Settings) -> None:
    """Run one job, where Hydra itself was asked to compose it."""
    from l1distill.stages.pipeline_job import Job, run_job

    composed = settings.model_dump(mode="json")
    job = Job(name=settings.output.name, folder=str(settings.output), composed=composed)
    print(f"pipeline: {run_job(job).summary}", file=sys.stderr)


STAGE = Pipeline(name="pipeline", settings=Settings, run=_run)

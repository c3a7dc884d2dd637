"""promote: evidence against gates and champion; a registered version, and perhaps a champion."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from l1distill.artifacts.folders import (
    INPUTS,
    STUDENT_MODEL,
    FirmwareFolder,
    PromotionFolder,
    StudentFolder,
)
from l1distill.artifacts.record import ModelSpec, Record
from l1distill.core.errors import DataError, NegativeVerdict
from l1distill.core.workspace import file_sha256
from l1distill.firmware.files import BUNDLE, EMULATOR
from l1distill.registry.decision import Decision, Outcome
from l1distill.registry.evidence import Evidence
from l1distill.registry.reference import REFERENCE, ReferenceSettings
from l1distill.registry.verdict_table import print_decision
from l1distill.registry.version_tags import verdict_tags
from l1distill.stages.candidate import (
    collect_model,
    gather_evidence,
    judge_candidate,
    make_card,
    make_reference,
)
from l1distill.stages.rules import RulesSettings, judge_by
from l1distill.stages.stage import Context, Inputs, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tracking.cards import CARD
from l1distill.tracking.history import current_actor
from l1distill.tracking.promotion import Judge, Standing, promoter, standing
from l1distill.tracking.proof import prove, prove_version
from l1distill.tracking.registry import (
    EVIDENCE,
    PROMOTION_RUN,
    REFERENCE_SHA256,
    ModelRegistry,
)
from l1distill.tracking.store import connect_to_existing


class Settings(RulesSettings, StageSettings):
    """Settings of ``l1distill promote``."""

    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    student_folder: Path = Path("models/student")
    """Output of ``l1distill student``."""
    firmware_folder: Path = Path("firmware/student")
    """Output of ``l1distill synthesize``."""
    output: Path = Path("promotion")
    """Folder that the stage writes."""
    reference: ReferenceSettings = ReferenceSettings()
    """What is recorded for ``l1distill monitor``."""
    reinstate: bool = False
    """Let a student compete again that was champion and was rolled back."""
    require_promotion: bool = True
    """End with exit status 3 where the student does not become champion; false only says so, as
    the pipeline does, which goes on to the report."""
    dry_run: bool = False
    """Judge and compare, and register, log and write nothing; ``--dry-run`` sets it."""
    candidate: bool = False
    """Judge by the gates, log and write that, and register nothing, as a job of
    ``l1distill pipeline`` does."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {
        "generate": settings.data.folder,
        "teacher": settings.teacher_folder,
        "student": settings.student_folder,
        "synthesize": settings.firmware_folder,
    }


def _check(settings: Settings, _: Task) -> None:
    if "student" not in Record.read(settings.firmware_folder).inputs:
        raise DataError(
            f"firmware_folder={settings.firmware_folder}: is not the firmware of a student of the "
            "pipeline but of a model= of its own, which has no physics to be judged by"
        )


def _run(settings: Settings, context: Context) -> Result:
    student = StudentFolder(settings.student_folder)
    firmware = FirmwareFolder(settings.firmware_folder)
    evidence = gather_evidence(settings, Inputs(records=context.records, hashes=context.hashes))
    evidence.write(context.folder / EVIDENCE)
    make_card(settings, context, evidence).write(context.folder / CARD)
    if settings.candidate:
        return judge_candidate(settings, context, evidence)
    make_reference(settings, context).write(context.folder / REFERENCE)
    context.run.log_parameters(
        context.records["student"].section("student", "distillation", "compression")
        | context.records["synthesize"].section("firmware")
    )
    model = collect_model(student, firmware, context.folder / "model")
    content = evidence.content_sha256
    model_id = context.run.log_model(MODEL, model, {"content_sha256": content})
    context.run.log_metrics(evidence.metrics, model_id=model_id)

    registry = ModelRegistry(context.run.client, settings.tracking.model_name)
    actor = current_actor(context.run.run_id)
    judge = _judge(settings)
    known = registry.version_of(content)
    proof = _Proof(f"models:/{registry.name}/{known}" if known else f"models:/{model_id}", evidence)
    if judge(evidence, standing(registry, content)).outcome is not Outcome.REFUSED:
        proof.ensure()  # takes some seconds, in which others may decide
    # From here until the run has ended and the aliases are moved, nobody else decides.
    one = context.held.enter_context(promoter(registry, actor, prove_version))
    version = registry.add(model_id, content)
    decision = judge(evidence, one.standing(content))
    if decision.outcome is not Outcome.REFUSED:
        proof.ensure()
    move = one.plan(version, decision, judge)
    tags = {
        **verdict_tags(decision, settings.gate_profile),
        PROMOTION_RUN: context.run.run_id,
        REFERENCE_SHA256: file_sha256(context.folder / REFERENCE),
    }
    PromotionFolder(context.folder).write_verdict(decision, settings.gate_profile, registry.name)
    name = f"{registry.name} version {version}"
    print_decision(decision, name, move.reason)
    promoted = decision.outcome is Outcome.CHAMPION
    refused = not promoted and settings.require_promotion
    return Result(
        metrics={
            "promoted": float(promoted),
            "gates": float(len(decision.verdicts)),
            "gates_failed": float(sum(not verdict.passed for verdict in decision.verdicts)),
        },
        headline=("promoted",),
        dataset_md5=evidence.dataset_md5,
        conclude=partial(one.carry_out, version, move, tags),
        refusal=f"{name} is not promoted: {move.reason}" if refused else "",
        note=f"{name} is **{decision.outcome.value}**: {move.reason}",
    )


@dataclass
class _Proof:
    """Proves the candidate once."""

    uri: str
    evidence: Evidence
    given: bool = False

    def ensure(self) -> None:
        if not self.given:
            prove(self.uri, self.evidence.files)
            self.given = True


def _rehearse(settings: Settings, inputs: Inputs) -> bool:
    """Judge and compare with the champion as it is now, and change nothing."""
    if not settings.dry_run:
        return False
    evidence = gather_evidence(settings, inputs)
    client = connect_to_existing(settings.tracking)
    name, champion = settings.tracking.model_name, Standing()
    if client is not None:
        registry = ModelRegistry(client, name)
        name, champion = registry.name, standing(registry, evidence.content_sha256)
    decision = _judge(settings)(evidence, champion)
    print_decision(decision, f"{name}, dry run:", decision.reason)
    if decision.outcome is not Outcome.CHAMPION and settings.require_promotion:
        raise NegativeVerdict(f"{name}: would not be promoted: {decision.reason}")
    return True


def _judge(settings: Settings) -> Judge:
    """Return how a student is judged, given who is champion."""

    def judge(evidence: Evidence, champion: Standing) -> Decision:
        if settings.reinstate:
            champion = replace(champion, set_back="")
        return judge_by(settings.rules, evidence, champion)

    return judge


MODEL = ModelSpec(
    name="trigger",
    script="l1distill.tracking.served.trigger",
    artifacts={
        "inputs": INPUTS,
        "emulator": EMULATOR,
        "bundle": BUNDLE,
        "student": STUDENT_MODEL,
    },
    requirements=["numpy", "alkaid", "h5py", "pydantic", "mlflow"],
)

STAGE = Stage(
    name="promote",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("verdict.json", EVIDENCE, CARD, REFERENCE),
    check=_check,
    rehearse=_rehearse,
)

"""Fetch what a registered model's champion is: its emulator and what was recorded of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l1distill.artifacts.folders import INPUTS
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.encoding import InputEncoding
from l1distill.firmware.bundle.archive import read_archive, read_file
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import BUNDLE, CONSTANTS_FOLDER, EMULATOR
from l1distill.registry.reference import REFERENCE, Reference
from l1distill.tracking.fetch import fetch_files
from l1distill.tracking.registry import (
    CHAMPION,
    PROMOTION_RUN,
    REFERENCE_SHA256,
    ModelRegistry,
    open_registry,
)
from l1distill.tracking.settings import TrackingSettings


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The student in the trigger.

    Attributes:
        name: of the registered model.
        version: that is champion.
        run_id: of the promotion that recorded the reference.
        bundle_sha256: of its bundle.
        encoding: how raw items become its inputs.
        emulator: of its firmware.
        reference: what it saw and answered when it was promoted.
    """

    name: str
    version: str
    run_id: str
    bundle_sha256: str
    encoding: InputEncoding
    emulator: Emulator
    reference: Reference


def find_champion(settings: TrackingSettings) -> tuple[ModelRegistry, str, Mapping[str, str]]:
    """Return the registered model, the version that is champion, and its tags.

    Raises:
        DataError: there is no champion, or nothing was recorded to compare with.
        ResourceError: the store cannot be reached.
    """
    registry = open_registry(settings)
    version = registry.alias(CHAMPION)
    if version is None:
        raise DataError(f"{registry.name}: has no champion; promote a student first")
    tags = registry.tags(version)
    if PROMOTION_RUN not in tags or REFERENCE_SHA256 not in tags:
        raise DataError(
            f"{registry.name} version {version}: an earlier version of l1distill promoted it, and "
            "recorded nothing to compare with; promote its student again"
        )
    return registry, version, tags


def fetch_champion(settings: TrackingSettings, folder: Path) -> Champion:
    """Download the champion's bundle and reference, and hold them against their hashes.

    Args:
        settings: of the store.
        folder: an empty folder to download into.

    Raises:
        DataError: a file is missing, or not what was promoted.
    """
    registry, version, tags = find_champion(settings)
    name = f"{registry.name} version {version}"
    evidence = registry.evidence(version)
    if evidence is None:
        raise DataError(f"{name}: there is no evidence of it; promote its student again")
    files = fetch_files(f"models:/{registry.name}/{version}", folder / "model")
    if BUNDLE not in files:
        raise DataError(f"{name}: the store has no {BUNDLE}; promote its student again")
    bundle_sha256 = file_sha256(files[BUNDLE])
    if evidence.files.get(BUNDLE, bundle_sha256) != bundle_sha256:
        raise DataError(f"{name}: {BUNDLE} in the store is not what was promoted")
    _unpack(files[BUNDLE], name, folder)
    run_id = tags[PROMOTION_RUN]
    (folder / "reference").mkdir()
    reference = registry.download(run_id, REFERENCE, folder / "reference")
    if reference is None:
        raise DataError(f"{name}: run {run_id} has no {REFERENCE}; promote its student again")
    if file_sha256(reference) != tags[REFERENCE_SHA256]:
        raise DataError(f"{name}: {REFERENCE} in the store is not what was recorded")
    return Champion(
        name=registry.name,
        version=version,
        run_id=run_id,
        bundle_sha256=bundle_sha256,
        encoding=InputEncoding.read(folder / INPUTS),
        emulator=Emulator.load(folder / EMULATOR),
        reference=Reference.read(reference),
    )


def _unpack(bundle: Path, name: str, folder: Path) -> None:
    """Write the emulator and the encoding of a bundle into a folder."""
    packed = read_archive(read_file(bundle), str(bundle))
    for wanted, target in ((EMULATOR, EMULATOR), (f"{CONSTANTS_FOLDER}/{INPUTS}", INPUTS)):
        if wanted not in packed:
            raise DataError(f"{name}: its bundle has no {wanted}; synthesize its student again")
        (folder / target).write_bytes(packed[wanted])

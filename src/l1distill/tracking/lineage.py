"""Find a registered version by its URI, for its lineage."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.core.errors import ConfigError, DataError, first_line
from l1distill.core.workspace import file_sha256
from l1distill.firmware.files import BUNDLE
from l1distill.registry.evidence import content_sha256
from l1distill.tracking.registry import CONTENT, ModelRegistry

if TYPE_CHECKING:
    from mlflow import MlflowClient

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered version.

    Attributes:
        name: of the registered model.
        number: of the version.
        content_sha256: identity of student and firmware together.
        bundle_sha256: of its bundle; empty where that was not recorded.
        run_id: of the promotion that it comes from.
    """

    name: str
    number: str
    content_sha256: str
    bundle_sha256: str
    run_id: str

    def check(self, student_sha256: str, firmware_sha256: str, bundle: Path) -> None:
        """Hold the version against the folders of a student and its firmware.

        Raises:
            DataError: it was made of others.
        """
        if content_sha256(student_sha256, firmware_sha256) != self.content_sha256:
            raise DataError(
                f"{self.name} version {self.number}: broken link: made of another student or "
                "firmware than those in the folders; name theirs, or run dvc checkout in the "
                "commit of its run"
            )
        if self.bundle_sha256 and file_sha256(bundle) != self.bundle_sha256:
            raise DataError(f"{bundle}: broken link: not the bundle of version {self.number}")


def find_version(client: "MlflowClient", uri: str) -> Version:
    """Find a registered version.

    Args:
        client: of the store.
        uri: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.

    Raises:
        ConfigError: the URI is neither.
        DataError: there is no such version, or its run is not FINISHED.
    """
    from mlflow.exceptions import MlflowException

    found = _URI.fullmatch(uri)
    if found is None:
        raise ConfigError(f"model={uri}: take models:/NAME@ALIAS or models:/NAME/VERSION")
    registry = ModelRegistry(client, found["name"])
    try:
        version = found["version"] or registry.alias(found["alias"])
        if version is None:
            raise DataError(f"{uri}: {registry.name} has no {found['alias']}")
        tags = registry.tags(version)
    except MlflowException as error:
        raise DataError(f"{uri}: no such version ({first_line(error)})") from error
    if not registry.is_finished(version):
        raise DataError(f"{uri}: broken link: the run that it comes from is not FINISHED")
    evidence = registry.evidence(version)
    run_id = client.get_model_version(registry.name, version).run_id
    return Version(
        name=registry.name,
        number=version,
        content_sha256=tags.get(CONTENT, ""),
        bundle_sha256="" if evidence is None else evidence.files.get(BUNDLE, ""),
        run_id=str(run_id),
    )


def run_tags(client: "MlflowClient", run_id: str) -> dict[str, str]:
    """Return the tags of a run."""
    return dict(client.get_run(run_id).data.tags)

"""A registered model: its versions with their tags and evidence, and its aliases."""

import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import DataError, L1DistillError
from l1distill.registry.evidence import Evidence
from l1distill.tracking.lookup import download_artifact
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import connect_to_existing

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
CONTENT = "content_sha256"
"""Version tag with the identity of student and firmware together."""
ROLLED_BACK = "rolled_back"
"""Version tag with the reason of a rollback from it."""
PROMOTION_RUN = "promotion_run"
"""Version tag with the run that judged it last."""
REFERENCE_SHA256 = "reference_sha256"
"""Version tag with the hash of what that run recorded for later comparison."""
EVIDENCE = "evidence.json"
"""File of the run of a version with everything measured of it."""
FORMER_NAMES = {"l1distill-anomaly": "l1distill-trigger"}
"""What earlier versions of l1distill called a model, which a store of theirs still has."""


def open_registry(settings: TrackingSettings) -> "ModelRegistry":
    """Return the registered model of the settings, in a store that is there.

    Raises:
        DataError: there is no store yet.
        ResourceError: it cannot be reached.
    """
    client = connect_to_existing(settings)
    if client is None:
        raise DataError(
            f"{settings.model_name}: there is no tracking store yet; promote a student first"
        )
    return ModelRegistry(client, settings.model_name)


class ModelRegistry:
    """One registered model of a store.

    Attributes:
        name: of the registered model.
        client: of the store.
    """

    def __init__(self, client: "MlflowClient", name: str) -> None:
        """Take the model of a name, or the one of its former name where only that is there."""
        self.client = client
        former = FORMER_NAMES.get(name)
        has_former = former is not None and not self._exists(name) and self._exists(former)
        self.name = str(former) if has_former else name

    def _exists(self, name: str) -> bool:
        return bool(self.client.search_registered_models(f"name = '{name}'", max_results=1))

    def alias(self, alias: str) -> str | None:
        """Return the version that has an alias; None if there is none."""
        found = self.client.search_registered_models(f"name = '{self.name}'", max_results=1)
        version = found[0].aliases.get(alias) if found else None
        return None if version is None else str(version)

    def version_of(self, content_sha256: str) -> str | None:
        """Return the version that was made of a student and firmware, if there is one.

        One whose promotion broke off does not count: its run is not FINISHED.
        """
        known = self._search(f" and tags.{CONTENT} = '{content_sha256}'")
        for version in sorted((str(one.version) for one in known), key=int, reverse=True):
            if self.is_finished(version):
                return version
        return None

    def is_finished(self, version: str) -> bool:
        """Return whether the run that a version comes from is there, and is FINISHED."""
        from mlflow.exceptions import MlflowException

        run_id = self.client.get_model_version(self.name, version).run_id
        try:
            return str(self.client.get_run(str(run_id)).info.status) == "FINISHED"
        except MlflowException:
            return False

    def versions(self) -> list[str]:
        """Return all versions, the newest first."""
        found = [str(one.version) for one in self._search("")]
        return sorted(found, key=int, reverse=True)

    def _search(self, condition: str) -> list[Any]:
        # A filter on a name that is not there yet finds nothing and is no error.
        found: list[Any] = []
        token = None
        while True:
            page = self.client.search_model_versions(
                f"name = '{self.name}'{condition}", page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def tags(self, version: str) -> dict[str, str]:
        """Return the tags of a version."""
        return dict(self.client.get_model_version(self.name, version).tags)

    def set_tags(self, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version; those with an empty value are removed."""
        before = self.tags(version)
        for key, value in tags.items():
            if value and before.get(key) != value:
                self.client.set_model_version_tag(self.name, version, key, value)
            elif not value and key in before:
                self.client.delete_model_version_tag(self.name, version, key)

    def add(self, model_id: str, content_sha256: str) -> str:
        """Register a logged model, once for each content; returns its version."""
        import mlflow

        known = self.version_of(content_sha256)
        if known is not None:
            return known
        # MLflow prints two lines of its own between those of the stage.
        with redirect_stderr(StringIO()):
            created = mlflow.register_model(
                f"models:/{model_id}", self.name, tags={CONTENT: content_sha256}
            )
        return str(created.version)

    def evidence(self, version: str) -> Evidence | None:
        """Return what was measured of a version.

        Versions of earlier releases have no file of it: theirs is read from the metrics of their
        run. None if there is neither, or it was measured of another content.
        """
        from mlflow.exceptions import MlflowException

        found = self.client.get_model_version(self.name, version)
        content = str(found.tags.get(CONTENT, ""))
        try:
            run = self.client.get_run(str(found.run_id))
        except MlflowException:
            return None
        evidence = self._recorded(run.info.run_id) or Evidence(
            content_sha256=content,
            dataset_md5=run.data.tags.get("dataset_md5", ""),
            metrics=run.data.metrics,
        )
        return evidence if evidence.content_sha256 == content and evidence.metrics else None

    def run_tags(self, version: str) -> dict[str, str]:
        """Return the tags of the run that a version comes from; none if that is gone."""
        from mlflow.exceptions import MlflowException

        run_id = self.client.get_model_version(self.name, version).run_id
        try:
            return dict(self.client.get_run(str(run_id)).data.tags)
        except MlflowException:
            return {}

    def download(self, run_id: str, path: str, folder: Path) -> Path | None:
        """Download a file that a run logged; None if there is none."""
        return download_artifact(self.client, run_id, path, folder)

    def set_description(self, description: str) -> None:
        """Replace the description of the registered model, as the user interface shows it."""
        self.client.update_registered_model(self.name, description)

    def set_version_description(self, version: str, description: str) -> None:
        """Replace the description of a version."""
        self.client.update_model_version(self.name, version, description)

    def _recorded(self, run_id: str) -> Evidence | None:
        with tempfile.TemporaryDirectory(prefix="l1distill-evidence-") as folder:
            path = self.download(run_id, EVIDENCE, Path(folder))
            try:
                return None if path is None else Evidence.read(path)
            except L1DistillError:
                return None

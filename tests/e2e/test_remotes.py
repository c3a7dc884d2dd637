"""Data that are shared through DVC, with the commands of its how-to guide, and what damage does."""

import asyncio
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncssh
import pytest

from l1distill.artifacts.record import Record
from l1distill.core.workspace import file_hashes
from l1distill.tasks.anomaly.dataset import open_dataset
from tests.e2e.conftest import Project
from tests.servers import s3
from tests.settings import ROOT

DATA = Path("data/anomaly")
DAMAGED = DATA / "background.h5"
LINE = """\
stages:
  generate:
    cmd: python make.py
    deps: [make.py]
    outs:
      - data/anomaly: {persist: true}
"""
MAKE = """\
from pathlib import Path
import numpy as np
from l1distill.data.card import Card, FileCard, write_card
from l1distill.tasks.anomaly.event_files import write_events
from l1distill.tasks.anomaly.events import Events
from l1distill.artifacts.record import Record
from l1distill.core.workspace import file_hashes, file_sha256

print("made again")
folder = Path("data/anomaly")
folder.mkdir(parents=True, exist_ok=True)
events = Events(np.random.default_rng(2026).exponential(30.0, (400, 19, 3)))
counts = write_events(folder / "background.h5", events)
files = {"background": FileCard(**counts, sha256=file_sha256(folder / "background.h5"))}
write_card(
    folder, Card(dataset="anomaly", settings={}, versions={}, files=files, checks={}, missing=[])
)
Record(
    stage="generate", parameters={"task.name": "anomaly"}, inputs={}, dataset="anomaly",
    dataset_md5="0" * 32,
    files={name: sha256 for name, sha256 in file_hashes(folder).items() if name != "record.json"},
    artifacts=[],
).write(folder)
"""


def _guide(having: str) -> str:
    """Return the one run of commands in the how-to guide that has these words."""
    page = (ROOT / "docs/how-to/share_data.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    (found,) = [run for block in blocks for run in block.split("\n\n") if having in run]
    return found.rstrip() + "\n"


def _line(having: str) -> str:
    """Return the one line of these commands that has these words."""
    (line,) = [line for line in _guide(having).splitlines() if having in line]
    return line + "\n"


def _shell(project: Project, commands: str, values: Mapping[str, str] | None = None) -> str:
    """Run commands of the guide, with values in the place of its examples."""
    for example, value in (values or {}).items():
        assert example in commands, example
        commands = commands.replace(example, value)
    return project.run("bash", "-euo", "pipefail", "-c", commands).stdout


def _share(project: Project, remote: str, values: Mapping[str, str]) -> None:
    """Set a remote up as the guide says, commits that, and pushes."""
    first, rest = _guide("/path/to/store").split("\n", maxsplit=1)
    setup = first if remote in first else _guide(remote)
    _shell(project, f"{setup}\n{rest}", values)
    assert project.run("git", "status", "--porcelain").stdout == ""


def _clone(origin: Project, folder: Path) -> Project:
    origin.run("git", "clone", "--quiet", ".", str(folder))
    assert not (folder / DATA).exists()
    return origin._replace(folder=folder)


def _rot(path: Path) -> None:
    """Flips a bit in the middle of a file, which is as old, long and read-only as it was."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        (byte,) = file.read(1)
        file.seek(before.st_size // 2)
        file.write(bytes([byte ^ 1]))
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _stored(root: Path, content: bytes) -> Path:
    """The file with this content in a cache or a remote of DVC."""
    (path,) = [p for p in root.rglob("*") if p.is_file() and p.read_bytes() == content]
    return path


@pytest.fixture(scope="module")
def made(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A line of one stage, in a repository with the project's DVC settings, after its repro."""
    folder = tmp_path_factory.mktemp("made")
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.yaml").write_text(LINE)
    (folder / "make.py").write_text(MAKE)
    home = tmp_path_factory.mktemp("home")
    ours = ("AWS_", "DVC_", "GIT_", "MLFLOW_", "SSH_", "XDG_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "HOME": str(home),
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
    }
    made = Project(folder, environment)
    made.run("git", "init", "--quiet")
    made.run("git", "config", "--file", str(home / ".gitconfig"), "user.name", "t")
    made.run("git", "config", "--file", str(home / ".gitconfig"), "user.email", "t@t")
    made.dvc("repro", "--quiet")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "line")
    assert set(file_hashes(folder / DATA)) == {"background.h5", "card.json", "record.json"}
    return made


@pytest.fixture
def here(made: Project, tmp_path: Path) -> Project:
    """A copy of it, with outputs and cache and no remote."""
    shutil.copytree(made.folder, tmp_path / "here")
    return made._replace(folder=tmp_path / "here")


@pytest.fixture(scope="module")
def pushed(made: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of it, pushed to a folder beside it."""
    place = tmp_path_factory.mktemp("pushed")
    shutil.copytree(made.folder, place / "here")
    pushed = made._replace(folder=place / "here")
    _share(pushed, "/path/to/store", {"/path/to/store": str(place / "store")})
    return pushed


@pytest.fixture
def there(pushed: Project, tmp_path: Path) -> Project:
    """Another clone, after its pull."""
    there = _clone(pushed, tmp_path / "there")
    there.dvc("pull")
    return there


def _is_whole(project: Project, made: Project) -> bool:
    """Whether the outputs are those that were made, for the line, too, and so is DVC's copy."""
    Record.read(project.folder / DATA)
    assert open_dataset(project.folder / DATA).sample("background").items.values.shape == (
        400,
        19,
        3,
    )
    _stored(project.folder / ".dvc/cache", (made.folder / DAMAGED).read_bytes())
    return file_hashes(project.folder / DATA) == file_hashes(made.folder / DATA)


def test_a_folder_carries_data_and_card_from_clone_to_clone(made: Project, there: Project) -> None:
    assert _is_whole(there, made)


def test_a_damaged_file_is_named_and_brought_back_as_the_message_says(
    made: Project, there: Project
) -> None:
    _rot(there.folder / DAMAGED)
    done = there.l1distill("teacher", check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"l1distill: {DAMAGED}: not what generate wrote (truncated or changed); remove it and run "
        "dvc pull, or run generate again\n"
    )
    assert not (there.folder / "models").exists()
    _shell(there, _line(f"rm {DAMAGED} && dvc pull"))
    assert _is_whole(there, made)


@pytest.mark.fault(
    stage="teacher",
    fault="corrupted file in DVC's cache",
    outcome="one line that names the file and what brings it back, which does",
)
@pytest.mark.parametrize("way", ["pull", "repro"])
def test_a_damaged_cache_is_noticed_on_reading_and_healed(
    made: Project, there: Project, way: str
) -> None:
    """DVC hands out the damaged copy and takes it for good from then on; the stage does not."""
    cached = _stored(there.folder / ".dvc/cache", (made.folder / DAMAGED).read_bytes())
    _rot(cached)
    shutil.rmtree(there.folder / DATA)
    there.dvc("checkout")
    assert (there.folder / DAMAGED).read_bytes() == cached.read_bytes()
    done = there.l1distill("teacher", check=False)
    assert done.returncode == 2
    assert f"{DAMAGED}: not what generate wrote" in done.stderr
    said = _shell(there, _guide("chmod u+w") + _line(f"rm {DAMAGED} && dvc {way}"))
    assert ("made again" in said) == (way == "repro")
    assert _is_whole(there, made)


def test_a_damaged_remote_is_refused(made: Project, pushed: Project, tmp_path: Path) -> None:
    stored = _stored(pushed.folder.parent / "store", (made.folder / DAMAGED).read_bytes())
    fresh = _clone(pushed, tmp_path / "fresh")
    _rot(stored)
    try:
        done = fresh.run("dvc", "pull", check=False)
    finally:
        _rot(stored)  # the same bit again
    assert done.returncode != 0
    assert str(DATA) in done.stderr
    assert not (fresh.folder / DAMAGED).exists()
    fresh.dvc("repro")
    assert _is_whole(fresh, made)


@pytest.fixture
def bucket() -> Iterator[str]:
    """A bucket called ``shared`` in an S3 store on this machine; yields the store's address."""
    with s3("shared") as endpoint:
        yield endpoint


def test_s3_carries_data_and_card_from_clone_to_clone(
    made: Project, here: Project, bucket: str, tmp_path: Path
) -> None:
    values = {
        "s3://bucket/path": "s3://shared/l1distill",
        "https://s3.example.org": bucket,
        "access_key_id ID": "access_key_id alice",
        "SECRET": "hush",
    }
    _share(here, "s3://", values)
    there = _clone(here, tmp_path / "there")
    assert bucket in (there.folder / ".dvc/config").read_text()
    assert there.run("git", "grep", "-e", "alice", "-e", "hush", check=False).stdout == ""
    keys = {"AWS_ACCESS_KEY_ID": "bob", "AWS_SECRET_ACCESS_KEY": "hush"}
    there._replace(environment={**there.environment, **keys}).dvc("pull")
    assert _is_whole(there, made)


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An SFTP server on this machine; yields its address and the one key that opens it."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    (tmp_path / "sftp").mkdir()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=asyncssh.import_authorized_keys(
                key.export_public_key().decode()
            ),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=tmp_path / "sftp"),
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
        yield f"ssh://user@127.0.0.1:{server.get_port()}/store", tmp_path / "key"
        server.close()
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_ssh_carries_data_and_card_from_clone_to_clone(
    made: Project, here: Project, ssh: tuple[str, Path], tmp_path: Path
) -> None:
    address, key = ssh
    values = {"ssh://user@host/path": address, "~/.ssh/id_ed25519": str(key)}
    _share(here, "ssh://", values)
    _stored(tmp_path / "sftp/store", (made.folder / DAMAGED).read_bytes())
    there = _clone(here, tmp_path / "there")
    assert there.run("git", "grep", "-e", str(key), check=False).stdout == ""
    _shell(there, _line("keyfile") + "dvc pull", {"~/.ssh/id_ed25519": str(key)})
    assert _is_whole(there, made)

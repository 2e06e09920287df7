"""Programs of the lab are found or built once, and a failure names its cure."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import binaries
from lab.toolchain import SetupError

pytestmark = pytest.mark.lab  # a shell script plays Go

GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit; fi
echo "$@" >> "{log}"
while [ "$1" != -o ]; do shift; done
{act}
"""


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and a Go that builds at once; gives the file that logs each build."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = tmp_path / "builds"
    log.touch()
    _install_go(tmp_path, monkeypatch, act='sleep 0.2; echo program > "$2"; chmod +x "$2"')
    return log


def _install_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, act: str, version: str = "1.99.0"
) -> None:
    go = folder / "go" / "go"
    go.parent.mkdir(exist_ok=True)
    go.write_text(GO.format(log=folder / "builds", act=act, version=version), encoding="utf-8")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(go.parent), prepend=":")


def test_a_program_is_built_once(builds: Path) -> None:
    first = binaries.control_plane_binary("etcd")
    assert first.name == "etcd"
    assert binaries.control_plane_binary("etcd") == first
    assert len(builds.read_text("utf-8").splitlines()) == 1


def test_two_runs_at_once_build_once(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        paths = set(pool.map(binaries.control_plane_binary, ["kubectl", "kubectl"]))
    assert len(paths) == 1
    assert len(builds.read_text("utf-8").splitlines()) == 1
    assert "another run is building" in capsys.readouterr().err


def test_the_build_cannot_change_what_is_pinned(
    builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    binaries.helm_binary()
    assert "-mod=readonly" in builds.read_text("utf-8")


@pytest.mark.parametrize(
    ("output", "cure"),
    [
        ("write /x: no space left on device", "free 6 GB"),
        ("dial tcp: lookup modules.example: no such host", "GOPROXY"),
        ("compile: signal: killed", "memory"),
        ("undefined: x", "last words"),
    ],
)
def test_a_failed_build_names_the_cure_and_leaves_nothing(
    builds: Path, monkeypatch: pytest.MonkeyPatch, output: str, cure: str
) -> None:
    _install_go(builds.parent, monkeypatch, act=f'echo half > "$2"; echo "{output}" >&2; exit 1')
    with pytest.raises(SetupError, match=cure):
        binaries.control_plane_binary("etcd")
    assert list((binaries.CONTROL_PLANE.cache / "bin").iterdir()) == []


def test_an_old_go_is_not_used_and_none_to_be_had_is_said(
    builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_go(builds.parent, monkeypatch, act="exit 1", version="1.19.8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(SetupError, match=r"install Go 1\.26 or\s+later"):
        binaries.control_plane_binary("etcd")
    assert builds.read_text("utf-8") == ""


def test_assets_that_lack_a_program_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(SetupError, match="has no etcd"):
        binaries.control_plane_binary("etcd")


def test_assets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    (tmp_path / "helm").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "helm").chmod(0o755)
    assert binaries.helm_binary() == tmp_path / "helm"


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SetupError, match="set XDG_CACHE_HOME"):
        binaries.control_plane_binary("etcd")

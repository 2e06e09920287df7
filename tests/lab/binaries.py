"""The programs of Go that tests and lab use: where they are, how they are built and kept."""

import fcntl
import hashlib
import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import gobuild, toolchain
from lab.toolchain import SetupError, cache_folder, say

KUBERNETES_VERSION = "v1.36.3"  # go.mod names the same; tests/test_layout.py compares
HELM_VERSION = "v4.3.1"
CONTAINERD_VERSION = "v2.4.2"
ARGOCD_VERSION = "v3.2.6"  # the newest whose parts the module proxies have and that compiles
FLUX_VERSION = "v1.9.5"  # kustomize-controller's own
HELM_3_VERSION = "v3.22.0"
PROMETHEUS_VERSION = "v0.315.0"  # the Go module's; Prometheus itself calls it 3.15.0


@dataclass(frozen=True, slots=True)
class GoModule:
    """A folder with go.mod and go.sum, and the programs that it pins, or has the source of."""

    folder: Path
    programs: Mapping[str, str]  # file name -> main package
    ldflags: str
    duration: str  # what a build takes the first time, for people who wait
    tags: str = ""

    @property
    def minimum_go(self) -> tuple[int, ...]:
        line = re.search(r"^go ([\d.]+)$", (self.folder / "go.mod").read_text("utf-8"), re.M)
        return tuple(map(int, line[1].split("."))) if line else (0,)

    @property
    def cache(self) -> Path:
        """Named by content: another pin is another folder, and an old one stays usable."""
        digest = hashlib.sha256(" ".join(self._made_by).encode())
        for path in sorted(self.folder.glob("*.go")):
            digest.update(path.read_bytes())
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        return cache_folder() / f"{self.folder.name}-{digest.hexdigest()[:12]}"

    def source(self, dependency: str) -> Path:
        """The folder of a module that it depends on, in Go's own cache: for the files in it."""
        go = toolchain.find_go(self.minimum_go)
        return gobuild.source(go, self.folder, dependency)

    @property
    def _made_by(self) -> tuple[str, ...]:
        machine = (platform.system(), platform.machine())
        return (self.ldflags, *machine, *([self.tags] if self.tags else []))


CONTROL_PLANE = GoModule(
    folder=Path(__file__).with_name("controlplane"),
    programs={
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
    ldflags=f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    duration="4 minutes on 2 cores",
)
HELM = GoModule(
    folder=Path(__file__).with_name("helm"),
    programs={"helm": "helm.sh/helm/v4/cmd/helm"},
    ldflags=f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}",
    duration="2 minutes on 2 cores",
)
# One program for all parts of Argo CD: ARGOCD_BINARY_NAME chooses.
ARGOCD = GoModule(
    folder=Path(__file__).with_name("argocd"),
    programs={"argocd": "github.com/argoproj/argo-cd/v3/cmd"},
    ldflags=f"-s -w -X github.com/argoproj/argo-cd/v3/common.version={ARGOCD_VERSION[1:]}",
    duration="4 minutes on 2 cores",
)
FLUX = GoModule(
    folder=Path(__file__).with_name("flux"),
    programs={"kustomize-controller": "github.com/fluxcd/kustomize-controller"},
    ldflags="-s -w",
    duration="4 minutes on 2 cores",
)
HELM_3 = GoModule(
    folder=Path(__file__).with_name("helm3"),
    programs={"helm": "helm.sh/helm/v3/cmd/helm"},
    # As its releases are built: it takes Kubernetes for 1.20 otherwise.
    ldflags=f"-s -w -X helm.sh/helm/v3/internal/version.version={HELM_3_VERSION}"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37"
    " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37",
    duration="1 minute on 2 cores",
)
PROMETHEUS = GoModule(
    folder=Path(__file__).with_name("promtool"),
    programs={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    ldflags=f"-s -w -X github.com/prometheus/common/version.Version={PROMETHEUS_VERSION}",
    duration="5 minutes on 2 cores",
    tags="remove_all_sd",  # without the clients of some thirty clouds
)
NODE = GoModule(
    folder=Path(__file__).parent / "node" / "kubernetes",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    },
    ldflags=CONTROL_PLANE.ldflags,
    duration="6 minutes on 2 cores",
)
CONTAINERD = GoModule(
    folder=Path(__file__).parent / "node" / "containerd",
    programs={
        name: f"github.com/containerd/containerd/v2/cmd/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    ldflags=f"-s -w -X github.com/containerd/containerd/v2/version.Version={CONTAINERD_VERSION}",
    duration="a minute on 2 cores",
)
ACTIONLINT = GoModule(
    folder=Path(__file__).with_name("actionlint"),
    programs={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    ldflags="-s -w",
    duration="half a minute on 2 cores",
)
KSTATUS = GoModule(
    folder=Path(__file__).with_name("kstatus"),
    programs={"kstatus": "."},
    ldflags="-s -w",
    duration="half a minute on 2 cores",
)


def control_plane_binary(name: str) -> Path:
    """Path of etcd, kube-apiserver or kubectl; built first where it is nowhere to be found."""
    given = _given(name)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and not given:
        message = f"KUBEBUILDER_ASSETS is {assets}, which has no {name}: correct it or unset it"
        raise SetupError(message)
    return given or _built(CONTROL_PLANE, name)


def helm_binary() -> Path:
    """Path of helm, of the folder KUBEBUILDER_ASSETS if it has one."""
    return _given("helm") or _built(HELM, "helm")


def node_binary(name: str) -> Path:
    """Path of one of the programs that make a node of a machine."""
    module = NODE if name in NODE.programs else CONTAINERD
    return _given(name) or _built(module, name)


def actionlint_binary() -> Path:
    """Path of actionlint, which reads GitHub's workflows."""
    return _given("actionlint") or _built(ACTIONLINT, "actionlint")


def argocd_binary() -> Path:
    """Path of Argo CD's one program."""
    return _built(ARGOCD, "argocd")


def kustomize_controller_binary() -> Path:
    """Path of Flux's kustomize-controller."""
    return _built(FLUX, "kustomize-controller")


def helm_3_binary() -> Path:
    """Path of helm 3."""
    return _built(HELM_3, "helm")


def promtool_binary() -> Path:
    """Path of promtool, of the folder KUBEBUILDER_ASSETS if it has one."""
    return _given("promtool") or _built(PROMETHEUS, "promtool")


def kstatus_binary() -> Path:
    """Path of the program that tells what kstatus makes of objects."""
    return _built(KSTATUS, "kstatus")


def _given(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    path = Path(assets).absolute() / name if assets else None
    return path if path and os.access(path, os.X_OK) else None


def _built(module: GoModule, name: str) -> Path:
    path = module.cache / "bin" / name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(module.cache / "lock"):
            if not path.exists():  # the other run may have built it meanwhile
                _build(module, name, path)
    except OSError as error:
        message = (
            f"cannot write to the cache folder {module.cache}: {error.strerror or error}; free some"
            " space there, or set XDG_CACHE_HOME to a folder that has 6 GB"
        )
        raise SetupError(message) from error
    return path


def _build(module: GoModule, name: str, path: Path) -> None:
    if not any((path.parent / other).exists() for other in module.programs):
        say(f"building {', '.join(module.programs)}: about {module.duration}, once")
    go = toolchain.find_go(module.minimum_go)
    package, flags = module.programs[name], module.ldflags
    gobuild.build(go, module.folder, package, path, ldflags=flags, tags=module.tags)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is building, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

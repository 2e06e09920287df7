"""Argo CD as plain processes: redis, repo server, application controller and API server."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import yaml

from lab import binaries, wait
from lab.gitops.ports import free_ports
from lab.installation import Manifest
from lab.resources import ROOT, merged
from lab.running import RunningLab
from lab.toolchain import SetupError

NAMESPACE = "argocd"
EXAMPLES = ROOT / "examples" / "gitops" / "argocd"
EXAMPLE, WAVES = EXAMPLES / "application.yaml", EXAMPLES / "sync-waves.yaml"
# Argo CD's default, foreground, waits for the garbage collector of a controller manager.
BACKGROUND = "PrunePropagationPolicy=background"
_CRDS = ("application", "appproject", "applicationset")
_LABELS = {"app.kubernetes.io/part-of": "argocd"}
_REDIS = (
    "redis-server is not on PATH: Argo CD needs it; install it (Debian and Ubuntu: apt-get install"
    " redis-server)"
)


class ArgoCD:
    """One installation over a running lab; it ends with the lab's processes."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self._folder = lab.folder / "argocd"
        self._ports = dict(
            zip(("redis", "repo", "server", "m1", "m2", "m3"), free_ports(6), strict=True)
        )
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self) -> None:
        """Start all of it and wait until it answers. Raises SetupError."""
        redis = shutil.which("redis-server")
        if redis is None:
            raise SetupError(_REDIS)
        self._install()
        port = self._ports
        self._run(
            "redis", [redis, "--port", str(port["redis"]), "--bind", "127.0.0.1", "--save", ""]
        )
        self._part(
            "repo-server",
            f"--port={port['repo']}",
            "--disable-tls",
            "--address=127.0.0.1",
            f"--metrics-port={port['m1']}",
            "--metrics-address=127.0.0.1",
        )
        # Its metrics are served on all addresses: there is no flag for that.
        self._part(
            "application-controller",
            f"--metrics-port={port['m2']}",
            "--app-resync=5",
            *self._of_repo_server(),
        )
        self._part(
            "server",
            f"--port={port['server']}",
            "--address=127.0.0.1",
            f"--metrics-port={port['m3']}",
            "--insecure",
            "--disable-auth",
            *self._of_repo_server(),
        )
        wait.until(self._answers, 60, "Argo CD to answer")

    def application(self, name: str, url: str, path: str, **changes: Any) -> Manifest:
        """The Application of the examples, on a folder of a repository; parts replaced."""
        manifest: Manifest = yaml.safe_load(EXAMPLE.read_text("utf-8"))
        named = {"metadata": {"name": name}, "spec": {"source": {"repoURL": url, "path": path}}}
        made = merged(merged(manifest, named), changes)
        policy = made["spec"]["syncPolicy"]
        policy["syncOptions"] = [*policy.get("syncOptions", ()), BACKGROUND]
        return made

    def after_the_resource(self) -> Manifest:
        """The object of the examples that comes a wave later."""
        found: Manifest = yaml.safe_load(WAVES.read_text("utf-8"))
        return found

    def apply(self, *manifests: Manifest) -> None:
        """As an administrator would."""
        self._lab.installation.apply(*manifests)

    def refresh(self, application: str) -> None:
        """What a webhook does after a push."""
        self._kubectl(
            "annotate",
            "application",
            application,
            "argocd.argoproj.io/refresh=normal",
            "--overwrite",
        )

    def delete(self, application: str) -> None:
        """The Application goes, what it has applied stays."""
        self._kubectl("delete", "application", application)

    def resource_health(self, application: str) -> dict[str, str]:
        """What Argo CD shows at the resource itself."""
        tree = self._get(f"/api/v1/applications/{application}/resource-tree")
        for node in tree.get("nodes") or ():
            if node["kind"] == "ExchangePushConfig":
                found: dict[str, str] = node.get("health") or {}
                return found
        return {}

    def run_action(self, application: str, action: str) -> None:
        """As a click in the user interface does."""
        body = {
            "namespace": self._lab.namespace,
            "resourceName": "fabrikam",
            "group": "exchangepush.dev",
            "version": "v1alpha1",
            "kind": "ExchangePushConfig",
            "action": action,
        }
        url = f"{self._url}/api/v1/applications/{application}/resource/actions/v2"
        answer = self._session.post(url, json=body, timeout=30)
        assert answer.ok, f"action {action}: {answer.status_code} {answer.text}"

    def close(self) -> None:
        """End the session; the processes are the lab's."""
        self._session.close()

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._ports['server']}"

    def _get(self, path: str) -> Any:
        answer = self._session.get(self._url + path, timeout=30)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _answers(self) -> bool:
        try:
            return self._session.get(f"{self._url}/healthz?full=true", timeout=5).ok
        except requests.RequestException:
            return False

    def _of_repo_server(self) -> Iterator[str]:
        yield f"--repo-server=127.0.0.1:{self._ports['repo']}"
        yield "--repo-server-plaintext"
        yield f"--namespace={NAMESPACE}"
        yield f"--kubeconfig={self._lab.cluster.kubeconfig}"

    def _part(self, name: str, *flags: str) -> None:
        command = [
            str(binaries.argocd_binary()),
            f"--redis=127.0.0.1:{self._ports['redis']}",
            *flags,
        ]
        self._run(name, command, {"ARGOCD_BINARY_NAME": f"argocd-{name}"})

    def _run(self, name: str, command: list[str], more: Mapping[str, str] | None = None) -> None:
        environment = {**self._environment(), **(more or {})}
        self._lab.processes.start(command, environment, self._folder / f"{name}.log")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{binaries.helm_3_binary().parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "KUBECONFIG": str(self._lab.cluster.kubeconfig),
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(self._folder / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(self._folder / "ssh"),
            "ARGOCD_RECONCILIATION_TIMEOUT": "5s",  # so long is a branch's commit believed
        }

    def _install(self) -> None:
        for name in ("tls", "ssh"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "ssh" / "ssh_known_hosts").touch()
        cluster = self._lab.cluster
        crds = binaries.ARGOCD.source("github.com/argoproj/argo-cd/v3") / "manifests" / "crds"
        files = [f"--filename={crds / name}-crd.yaml" for name in _CRDS]
        cluster.run_kubectl("apply", "--server-side", *files)
        for name in _CRDS:
            cluster.wait_until_established(f"{name}s.argoproj.io")
        cluster.create_namespace(NAMESPACE)
        self.apply(*_objects())
        # As docs/argocd.md has it: beside what is in the ConfigMap already.
        manager = "--field-manager=exchange-push-operator"
        settings = str(ROOT / "argocd" / "argocd-cm.yaml")
        self._kubectl("apply", "--server-side", manager, f"--filename={settings}")

    def _kubectl(self, *arguments: str) -> None:
        self._lab.cluster.run_kubectl(*arguments, namespace=NAMESPACE)


def _objects() -> Iterator[Manifest]:
    settings = {"timeout.reconciliation": "5s", "timeout.reconciliation.jitter": "0s"}
    yield _object("ConfigMap", "argocd-cm", data=settings)
    yield _object("ConfigMap", "argocd-cmd-params-cm")
    yield _object("Secret", "argocd-secret", stringData={"server.secretkey": secrets.token_hex(16)})
    everything = [{"group": "*", "kind": "*"}]
    spec = {
        "sourceRepos": ["*"],
        "destinations": [{"namespace": "*", "server": "*"}],
        "clusterResourceWhitelist": everything,
    }
    yield {**_object("AppProject", "default", spec=spec), "apiVersion": "argoproj.io/v1alpha1"}


def _object(kind: str, name: str, **rest: Any) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}

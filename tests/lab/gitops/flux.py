"""Flux's kustomize-controller as a plain process, with artifacts from a server of our own.

Its source-controller is not among the modules that can be had; of it a GitRepository's status is
enough: where the artifact is, and its digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import yaml

from lab import binaries, wait
from lab.gitops.ports import free_ports
from lab.installation import Manifest
from lab.resources import ROOT, merged
from lab.running import RunningLab

NAMESPACE = "flux-system"
EXAMPLES = ROOT / "examples" / "gitops" / "flux"
_GROUP = "source.toolkit.fluxcd.io"
_SOURCES = {
    "gitrepositories": "GitRepository",
    "ocirepositories": "OCIRepository",
    "buckets": "Bucket",
    "externalartifacts": "ExternalArtifact",
}


class Flux:
    """A context manager; the controller ends with the lab's processes."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self._folder = lab.folder / "flux"
        self._folder.mkdir()
        handler = partial(_Quiet, directory=str(self._folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._install()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def example(self, name: str, **spec: Any) -> Manifest:
        """The Kustomization of an example, with parts of its spec replaced."""
        documents = yaml.safe_load_all((EXAMPLES / name).read_text("utf-8"))
        found = next(one for one in documents if one["kind"] == "Kustomization")
        return merged(found, {"spec": spec})

    def apply(self, *manifests: Manifest) -> None:
        """As an administrator would."""
        self._lab.installation.apply(*manifests)

    def generation(self, name: str) -> str:
        """Of a Kustomization, as the API server has it now."""
        return self._kubectl("get", "kustomization", name, "-o=jsonpath={.metadata.generation}")

    def publish(self, *manifests: Manifest) -> str:
        """What source-controller does with a commit; the revision."""
        text = "\n---\n".join(json.dumps(one) for one in manifests) or "# nothing\n"
        archive = _archive("exchange/objects.yaml", text)
        digest = hashlib.sha256(archive).hexdigest()
        (self._folder / f"{digest}.tar.gz").write_bytes(archive)
        revision = f"main@sha256:{digest}"
        artifact = {
            "path": f"{digest}.tar.gz",
            "url": f"http://127.0.0.1:{self._server.server_address[1]}/{digest}.tar.gz",
            "revision": revision,
            "digest": f"sha256:{digest}",
            "lastUpdateTime": "2026-11-21T09:00:00Z",
            "size": len(archive),
        }
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored"}
        ready["lastTransitionTime"] = "2026-11-21T09:00:00Z"
        status = {"status": {"artifact": artifact, "conditions": [ready], "observedGeneration": 1}}
        patch = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
        self._kubectl("patch", "gitrepository", "fabrikam", *patch)
        return revision

    def _start(self) -> None:
        metrics, health = free_ports(2)
        command = [str(binaries.kustomize_controller_binary()), "--log-encoding=console"]
        command += [f"--metrics-addr=127.0.0.1:{metrics}", f"--health-addr=127.0.0.1:{health}"]
        command += ["--requeue-dependency=1s", "--no-remote-bases", "--http-retry=1"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "KUBECONFIG": str(self._lab.cluster.kubeconfig),
            "RUNTIME_NAMESPACE": NAMESPACE,
        }
        log = self._folder / "kustomize-controller.log"
        process = self._lab.processes.start(command, environment, log)

        def watches() -> bool:
            words = log.read_text("utf-8")
            assert process.poll() is None, f"kustomize-controller ended:\n{words}"
            return "Starting workers" in words

        wait.until(watches, 60, "kustomize-controller to start")

    def _install(self) -> None:
        cluster = self._lab.cluster
        crds = binaries.FLUX.source("github.com/fluxcd/kustomize-controller") / "config/crd/bases"
        cluster.run_kubectl("apply", "--server-side", f"--filename={crds}")
        self.apply(*_stand_ins())
        for plural in _SOURCES:
            cluster.wait_until_established(f"{plural}.{_GROUP}")
        cluster.wait_until_established("kustomizations.kustomize.toolkit.fluxcd.io")
        cluster.create_namespace(NAMESPACE)
        documents = yaml.safe_load_all((EXAMPLES / "kustomization.yaml").read_text("utf-8"))
        self.apply(next(one for one in documents if one["kind"] == "GitRepository"))

    def _kubectl(self, *arguments: str) -> str:
        return self._lab.cluster.run_kubectl(*arguments, namespace=NAMESPACE).stdout


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _archive(name: str, text: str) -> bytes:
    content = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _stand_ins() -> Iterator[Manifest]:
    """CRDs of source-controller that take everything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for plural, kind in _SOURCES.items():
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": anything},
        }
        names = {
            "plural": plural,
            "singular": kind.lower(),
            "kind": kind,
            "listKind": f"{kind}List",
        }
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{_GROUP}"},
            "spec": {"group": _GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
        }

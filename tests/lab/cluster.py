"""A Kubernetes cluster as the tests use it: its address, its files, and kubectl."""

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.wait import until


@dataclass(slots=True)
class Cluster:
    """What is known of a running cluster; `folder` takes the files made for it."""

    url: str
    ca_file: Path
    admin_token: str  # empty where an existing cluster's administrator signs in otherwise
    kubeconfig: Path
    kubectl: Path
    folder: Path

    def run_kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - named as in subprocess.run
        check: bool = True,
        namespace: str | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as cluster administrator; a failure carries kubectl's words as a note."""
        done = subprocess.run(
            [*self.kubectl_command(namespace), *args],
            env=kubectl_environment(),
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(
                done.returncode, ["kubectl", *args], done.stdout, done.stderr
            )
            error.add_note(done.stderr.strip())
            raise error
        return done

    def kubectl_command(self, namespace: str | None = None) -> list[str]:
        """The command line up to the verb; for long-running ones (`get --watch`) of your own."""
        # A cache of its own: the discovery kept in the home folder would outlive this cluster,
        # and the next one on the same port would be believed to have its resources.
        cache = self.folder / "kubectl-cache"
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={cache}"]
        return [*command, f"--namespace={namespace}"] if namespace else command

    def wait_until_established(self, crd: str) -> None:
        """Wait until a CRD is served; ``kubectl wait`` fails on one that has no status yet."""
        path = '{.status.conditions[?(@.type=="Established")].status}'
        look = ("get", "crd", crd, "-o", f"jsonpath={path}")
        # kubectl fails while there are no conditions: the field is null.
        until(lambda: self.run_kubectl(*look, check=False).stdout == "True", 60, f"the CRD {crd}")

    def create_namespace(self, name: str) -> None:
        """Make the namespace, or leave it as it is where it exists."""
        self._create("namespace", name)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a real token of the ServiceAccount, which is made if it is missing."""
        self._create("serviceaccount", name, namespace=namespace)
        asked = self.run_kubectl("create", "token", name, "--duration=24h", namespace=namespace)
        path = self.folder / f"{namespace}.{name}.kubeconfig"
        write_kubeconfig(
            path, self.url, self.ca_file, token=asked.stdout.strip(), namespace=namespace
        )
        return path

    def _create(self, kind: str, name: str, *, namespace: str | None = None) -> None:
        done = self.run_kubectl("create", kind, name, namespace=namespace, check=False)
        there = any(words in done.stderr for words in ("AlreadyExists", "already exists"))
        if done.returncode and not there:
            message = f"cannot create {kind} {name}: {done.stderr.strip()}"
            raise RuntimeError(message)


def kubectl_environment() -> dict[str, str]:
    """The user's environment without the settings that would name another cluster."""
    kept = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return {**kept, "KUBERC": "off"}


def write_kubeconfig(
    path: Path, url: str, ca_file: Path, *, token: str, namespace: str = "default"
) -> None:
    """JSON is YAML too; the CA is embedded, so the file can be copied elsewhere."""
    ca = base64.b64encode(ca_file.read_bytes()).decode()
    context = {"cluster": "lab", "user": "lab", "namespace": namespace}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": context}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")

"""The whole of it: control plane, the lab's servers, and the operator, each as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from lab import wait
from lab.cluster import Cluster
from lab.control_client import Control
from lab.control_plane import ControlPlane
from lab.installation import Installation, Manifest, Names
from lab.network.redirect import Redirect
from lab.operator_process import OperatorProcess
from lab.processes import Process, Processes
from lab.resources import EXAMPLE, ROOT

KIND = "exchangepushconfigs"
READY_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to start it. ``cluster`` is an existing one; without it a control plane is started."""

    cluster: Cluster | None = None
    names: Names = field(default_factory=Names)
    servers: int = 2
    latency: float = 0.0
    operator: bool = True
    operator_flags: tuple[str, ...] = ("--max-interval=5s",)
    audit: bool = False


class RunningLab:
    """A context manager; everything is stopped and removed at its end, however that comes."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._closing = ExitStack()
        self._control: Control | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    # Kubernetes

    @property
    def namespace(self) -> str:
        return self.options.names.namespace

    def kubectl(self, *args: str, check: bool = True, stdin: str | None = None) -> str:
        """Run kubectl as administrator in the resources' namespace; what it printed."""
        done = self.cluster.run_kubectl(*args, check=check, input=stdin, namespace=self.namespace)
        return done.stdout if check else done.stdout + done.stderr

    def example(self, name: str = "fabrikam", /, **spec: Any) -> Manifest:
        """examples/pushconfig.yaml under another name, parts of its spec replaced."""
        manifest: Manifest = yaml.safe_load(EXAMPLE.read_text("utf-8"))
        manifest["metadata"] = {"name": name, "namespace": self.namespace}
        manifest["spec"].update(spec)
        return manifest

    def apply(self, *manifests: Manifest) -> None:
        """`kubectl apply`; without arguments the example."""
        items = list(manifests) or [self.example()]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("apply", "-f", "-", stdin=text)

    def resource(self, name: str = "fabrikam") -> Manifest:
        """The object as it is; empty where there is none."""
        text = self.kubectl("get", KIND, name, "-o", "json", "--ignore-not-found")
        found: Manifest = json.loads(text) if text.strip() else {}
        return found

    def status(self, name: str = "fabrikam") -> dict[str, Any]:
        found: dict[str, Any] = self.resource(name).get("status") or {}
        return found

    def condition(self, type_: str, name: str = "fabrikam") -> dict[str, Any]:
        """A condition that speaks of the present generation; empty where there is none."""
        resource = self.resource(name)
        for one in (resource.get("status") or {}).get("conditions") or ():
            if one["type"] == type_ and one["observedGeneration"] == _generation(resource):
                found: dict[str, Any] = one
                return found
        return {}

    def wait_condition(
        self,
        type_: str,
        status: str,
        reason: str | None = None,
        *,
        name: str = "fabrikam",
        timeout: float = READY_TIMEOUT,
    ) -> dict[str, Any]:
        """Wait until a condition has this status (and reason); the condition."""

        def holds() -> dict[str, Any]:
            found = self.condition(type_, name)
            fits = found.get("status") == status and reason in (None, found.get("reason"))
            assert fits, self._story(name)
            return found

        wanted = f"{type_}={status}" + (f"/{reason}" if reason else "")
        return wait.until(holds, timeout, f"{name}: {wanted}", interval=0.1)

    def wait_ready(self, name: str = "fabrikam", timeout: float = READY_TIMEOUT) -> dict[str, Any]:
        return self.wait_condition("Ready", "True", name=name, timeout=timeout)

    def reconcile_now(self, name: str = "fabrikam") -> str:
        """Ask for a look by the annotation; its value."""
        value = f"asked-{len(self.operator.log)}-{os.urandom(4).hex()}"
        annotation = f"exchangepush.dev/reconcile-requested-at={value}"
        self.kubectl("annotate", KIND, name, annotation, "--overwrite")
        return value

    # the lab's servers

    @property
    def control(self) -> Control:
        assert self._control is not None, "the lab's servers are not up yet"
        return self._control

    def write_secrets(self) -> None:
        """The Secrets of examples/pushconfig.yaml, with what the lab accepts."""
        self.installation.apply(self.account_secret(), self.client_secret())

    def account_secret(self) -> Manifest:
        """The account of the Exchange servers."""
        one = self.endpoints["exchange"][0]
        account = {"username": one["username"], "password": one["password"]}
        return self.installation.secret("fabrikam-exchange", account)

    def client_secret(self) -> Manifest:
        """Certificate and key of the operator's application."""
        folder = Path(self.endpoints["ca"]).parent
        pair = {"tls.crt": folder / "client.crt", "tls.key": folder / "client.key"}
        content = {key: path.read_text("ascii") for key, path in pair.items()}
        return self.installation.secret("fabrikam-entra", content, "kubernetes.io/tls")

    def write_redirections(self) -> None:
        """Every host name of the lab to its port."""
        for host, port, lab_port in self.endpoints["redirections"]:
            self.redirect.set(host, port, lab_port)

    def write_policy(self, policy: Manifest | None = None) -> None:
        """What the operator allows; without an argument that of the examples."""
        document = self.installation.policy() if policy is None else policy
        draft = self.policy_file.with_suffix(".new")
        draft.write_text(yaml.safe_dump(document), "utf-8")
        draft.replace(self.policy_file)

    # the operator

    def start_operator(self, *flags: str) -> None:
        """Start the console command; ``flags`` replace those of the options."""
        self.operator.start(self._operator_arguments(flags))

    def operator_command_line(self) -> str:
        """How to start it by hand."""
        return self.operator.command_line(self._operator_arguments())

    def stop_operator(self) -> int:
        """SIGTERM; the exit code."""
        return self.operator.stop()

    def kill_operator(self) -> None:
        """SIGKILL."""
        self.operator.kill()

    def restart_operator(self, *flags: str) -> int:
        """SIGTERM and a new start; the exit code of the old one."""
        code = self.stop_operator()
        self.start_operator(*flags)
        return code

    @property
    def operator_log(self) -> str:
        return self.operator.log

    def _operator_arguments(self, flags: tuple[str, ...] = ()) -> list[str]:
        return [
            f"--kubeconfig={self._operator_kubeconfig}",
            f"--policy={self.policy_file}",
            f"--ca-file={self.endpoints['ca']}",
            *(flags or self.options.operator_flags),
        ]

    # putting it together

    def _start(self) -> None:
        self.processes = self._closing.enter_context(Processes())
        self.folder = self.processes.folder
        self.policy_file = self.folder / "policy.yaml"
        self.redirect = Redirect(self.folder)
        self.operator = OperatorProcess(self.processes, self.redirect)
        servers = self._launch_servers()  # they come up while the control plane does
        self.cluster = self.options.cluster or self._closing.enter_context(
            ControlPlane(audit=self.options.audit)
        )
        self.installation = Installation(self.cluster, self.options.names)
        if self.options.cluster:  # a control plane of our own goes away as a whole
            self._closing.callback(self.installation.remove)
        self._closing.callback(self.processes.close)  # before the cluster that they talk to
        self._hear_from_servers(servers)
        self.installation.install()
        self._operator_kubeconfig = self.installation.operator_kubeconfig()
        self.write_secrets()
        self.write_policy()
        if self.options.operator:
            self.start_operator()

    def _launch_servers(self) -> Process:
        command = [sys.executable, "-m", "lab.servers", f"--folder={self.folder}"]
        command += [f"--servers={self.options.servers}", f"--latency={self.options.latency}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        log = self.folder / "servers.log"
        return self.processes.start(command, environment, log, stdout=subprocess.PIPE)

    def _hear_from_servers(self, process: Process) -> None:
        assert process.stdout is not None
        with contextlib.closing(process.stdout) as output:
            line = output.readline()
        words = (self.folder / "servers.log").read_text("utf-8")
        assert line, f"the lab's servers did not start:\n{words}"
        self.endpoints: dict[str, Any] = json.loads(line)
        self._control = Control(self.endpoints["control"])
        self._closing.callback(self._control.close)
        self.write_redirections()

    def _story(self, name: str) -> str:
        conditions = self.status(name).get("conditions") or ()
        lines = [f"  {c['type']}={c['status']}/{c['reason']}: {c['message']}" for c in conditions]
        log = "\n  ".join(self.operator_log.splitlines()[-15:])
        return "\n".join(["conditions:", *lines, f"the operator's log ends:\n  {log}"])


def _generation(resource: Manifest) -> Any:
    return resource["metadata"]["generation"]

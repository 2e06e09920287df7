"""The whole of it: control plane, the lab's servers, and the operator, each as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from lab.cluster import Cluster
from lab.control_client import Control
from lab.control_plane import ControlPlane
from lab.installation import Installation, Manifest, Names
from lab.network.redirect import Redirect
from lab.operator_process import OperatorProcess
from lab.processes import Process, Processes
from lab.resource_client import ResourceClient
from lab.resources import ROOT


@dataclass(frozen=True, slots=True)
class Options:
    """How to start it. ``cluster`` is an existing one; without it a control plane is started.

    ``chart`` are values of the chart, whose RBAC the operator gets; without them the defaults.
    ``installed``: whether CRD, RBAC and Secrets are put in; who tries an installation does it.
    ``powershell`` is the path of one that runs the shipped scripts; without it a stand-in does.
    """

    cluster: Cluster | None = None
    names: Names = field(default_factory=Names)
    servers: int = 2
    latency: float = 0.0
    powershell: str = ""
    installed: bool = True
    operator: bool = True
    operator_flags: tuple[str, ...] = ("--max-interval=5s",)
    audit: bool = False
    chart: Mapping[str, Any] | None = None


class RunningLab(ResourceClient):
    """A context manager; everything is stopped and removed at its end, however that comes."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.namespace = self.options.names.namespace
        self.operator_flags = self.options.operator_flags
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
        self.operator_flags = flags or self.options.operator_flags
        self.operator.start(self._operator_arguments())

    def replica(self, number: int) -> OperatorProcess:
        """One more operator, not started yet, with an address and a log of its own."""
        name, address = f"replica-{number}", f"127.0.0.{10 + number}"
        return OperatorProcess(self.processes, self.redirect, name, address)

    def start_replica(self, replica: OperatorProcess, *flags: str) -> None:
        """Start it with leader election; ``flags`` go last."""
        namespace = self.options.names.operator_namespace
        election = ("--leader-elect", f"--lease-namespace={namespace}")
        replica.start([*self._operator_arguments(), *election, *flags])

    def operator_command_line(self) -> str:
        """How to start it by hand."""
        return self.operator.command_line(self._operator_arguments())

    def stop_operator(self) -> int:
        """SIGTERM; the exit code."""
        return self.operator.stop()

    def kill_operator(self) -> None:
        """SIGKILL; and its shells go, which WinRM would do half an hour later."""
        self.operator.kill()
        self.control.post("/shells/expire")

    def restart_operator(self, *flags: str) -> int:
        """SIGTERM and a new start; the exit code of the old one."""
        code = self.stop_operator()
        self.start_operator(*flags)
        return code

    @property
    def open_shells(self) -> dict[str, int]:
        """How many there are on each server."""
        counted = self.control.counters()["exchange"]
        return {name: one["openShells"] for name, one in counted.items()}

    @property
    def operator_log(self) -> str:
        return self.operator.log

    def _operator_arguments(self) -> list[str]:
        return [
            f"--kubeconfig={self.operator_kubeconfig}",
            f"--policy={self.policy_file}",
            f"--ca-file={self.endpoints['ca']}",
            "--health-address=127.0.0.1:0",
            "--no-leader-elect",  # one at a time; whoever starts another says otherwise
            *self.operator_flags,
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
        self.installation = Installation(self.cluster, self.options.names, self.options.chart)
        if self.options.cluster:  # a control plane of our own goes away as a whole
            self._closing.callback(self.installation.remove)
        self._closing.callback(self.processes.close)  # before the cluster that they talk to
        self._hear_from_servers(servers)
        if self.options.installed:
            self.installation.install()
            self.operator_kubeconfig = self.installation.operator_kubeconfig()
            self.write_secrets()
        self.write_policy()
        if self.options.operator:
            self.start_operator()

    def _launch_servers(self) -> Process:
        command = [sys.executable, "-m", "lab.servers", f"--folder={self.folder}"]
        command += [f"--servers={self.options.servers}", f"--latency={self.options.latency}"]
        command += [f"--powershell={self.options.powershell}"]
        path, temporary = str(ROOT / "tests"), str(self.folder)  # its files go with the folder
        environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": temporary}
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

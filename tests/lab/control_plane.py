"""A real etcd and kube-apiserver on free loopback ports, for as long as somebody needs them.

`python -m lab.control_plane ensure [--helm | --all]` builds what is missing; `path NAME` says where
it is.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from lab import binaries, wait
from lab.canary import CANARIES
from lab.cluster import Cluster, write_kubeconfig
from lab.cluster_existing import read_existing
from lab.cluster_keys import KeyFiles, write_keys
from lab.toolchain import SetupError

START_TIMEOUT = 60.0
LOOPBACK = "127.0.0.1"
SERVICE_RANGE = "10.0.0.0/24"
SERVICE_ADDRESS = "10.0.0.1"  # of the Service `kubernetes`: the first of the range
ATTEMPTS = 3  # a free port may be taken between asking for it and listening on it

# One line a request, without bodies: enough to count writes.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def free_ports() -> tuple[int, int]:
    """A port for etcd and one for the API server."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


class ControlPlane(Cluster):
    """A context manager; `start()` and `stop()` for those who cannot use one."""

    def __init__(
        self,
        *,
        audit: bool = False,
        ports: Callable[[], tuple[int, int]] = free_ports,
        address: str = LOOPBACK,
    ) -> None:
        """`address` is where the API server listens; Pods can reach no loopback."""
        nowhere = Path()
        super().__init__("", nowhere, "", nowhere, nowhere, nowhere)
        self.audit_log: Path | None = None
        self._audit = audit
        self._ports = ports
        self._address = address
        self._supervisor: subprocess.Popen[bytes] | None = None

    @classmethod
    def existing(cls, kubeconfig: Path | str) -> Self:
        """The cluster of a kubeconfig's current context; it is not ours to stop."""
        self = cls()
        self.kubectl = binaries.control_plane_binary("kubectl")
        self.kubeconfig = Path(kubeconfig).absolute()
        self.folder = Path(tempfile.mkdtemp(prefix="exchange-push-"))
        try:
            self.url, self.ca_file, self.admin_token = read_existing(self)
        except BaseException:
            self.stop()
            raise
        return self

    def start(self) -> Self:
        programs = {
            name: binaries.control_plane_binary(name) for name in ("etcd", "kube-apiserver")
        }
        self.kubectl = binaries.control_plane_binary("kubectl")
        trouble = ""
        for _ in range(ATTEMPTS):
            trouble = self._attempt(programs)
            if not trouble:
                return self
            if "address already in use" not in trouble:
                break
        message = f"{trouble}\nthe control plane did not start: its last words are above"
        raise SetupError(message)

    def stop(self) -> None:
        """End the processes, API server first, and remove the folder; fine to call twice."""
        if not self._failed():
            self._show_what_is_kept()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor and supervisor.stdin:
            supervisor.stdin.close()  # the supervisor sees the end of its input and cleans up
            supervisor.wait(30)
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart_api_server(self) -> None:
        """Kill it and start it anew on the same port; what it has stored stays."""
        name = "kube-apiserver"
        done = self.folder / f"{name}.restarted"
        done.unlink(missing_ok=True)
        assert self._supervisor is not None
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write(f"{name}\n".encode())
        self._supervisor.stdin.flush()
        wait.until(done.exists, START_TIMEOUT, "the API server to be killed")
        wait.until(self._answers, START_TIMEOUT, "the API server to be ready again")
        assert not self._failed(), self._last_words()

    def __enter__(self) -> Self:
        return self if self.url else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _show_what_is_kept(self) -> None:
        """What the operator has left in the cluster, to whoever looks for secrets in it."""
        listed = (("status", "exchangepushconfigs"), ("event", "events.events.k8s.io"))
        for kind, resource in listed:
            command = ("get", resource, "-A", "-o", "json", "--request-timeout=10s")
            found = self.run_kubectl(*command, check=False).stdout
            for item in json.loads(found or "{}").get("items", ()):
                CANARIES.show(kind, item.get("status", item))

    def _attempt(self, programs: dict[str, Path]) -> str:
        """Start; give what went wrong, or nothing."""
        try:
            self._launch(programs)
            wait.until(self._answers, START_TIMEOUT, "the API server to be ready")
        except BaseException:
            self.stop()
            raise
        if not self._failed():
            return ""
        trouble = self._last_words()
        self.stop()
        return trouble

    def _launch(self, programs: dict[str, Path]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="exchange-push-"))
        keys = write_keys(self.folder, self._address, SERVICE_ADDRESS)
        etcd, port = self._ports()
        self.url, self.ca_file = f"https://{self._address}:{port}", keys.ca
        self.admin_token = secrets.token_urlsafe(24)
        self.kubeconfig = self.folder / "admin.kubeconfig"
        write_kubeconfig(self.kubeconfig, self.url, keys.ca, token=self.admin_token)
        apiserver = [str(programs["kube-apiserver"]), *self._apiserver_flags(keys, etcd, port)]
        commands = {
            "etcd": [str(programs["etcd"]), *_etcd_flags(self.folder, etcd)],
            "kube-apiserver": apiserver,
        }
        (self.folder / "commands.json").write_text(json.dumps(commands), encoding="utf-8")
        self._supervisor = _supervise(self.folder)

    def _apiserver_flags(self, keys: KeyFiles, etcd: int, port: int) -> list[str]:
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{self.admin_token},admin,admin,"system:masters"\n', encoding="utf-8")
        flags = [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",
            f"--secure-port={port}",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={keys.certificate}",
            f"--tls-private-key-file={keys.key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys.service_accounts}",
            f"--service-account-signing-key-file={keys.service_accounts}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--kubelet-preferred-address-types=InternalIP",
        ]
        if self._address == LOOPBACK:
            flags.append("--endpoint-reconciler-type=none")  # it refuses loopback addresses
        return flags + (self._audit_flags() if self._audit else [])

    def _audit_flags(self) -> list[str]:
        policy, self.audit_log = self.folder / "audit-policy.json", self.folder / "audit.log"
        policy.write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]

    def _answers(self) -> bool:
        """True once it is ready, and also once it has failed: there is nothing to wait for."""
        if self._failed():
            return True
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment cannot reach this
            session.headers["Authorization"] = f"Bearer {self.admin_token}"
            try:
                answer = session.get(f"{self.url}/readyz", verify=str(self.ca_file), timeout=5)
            except requests.RequestException:
                return False
        return answer.status_code == HTTPStatus.OK

    def _failed(self) -> bool:
        gone = self._supervisor is None or self._supervisor.poll() is not None
        return gone or (self.folder / "failed").exists()

    def _last_words(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(line for log in logs for line in log.read_text("utf-8").splitlines()[-8:])


def _supervise(folder: Path) -> "subprocess.Popen[bytes]":
    script = Path(__file__).with_name("supervisor.py")
    command = [sys.executable, "-I", str(script), str(folder), str(os.getpid())]
    # Its own session, so that Ctrl-C in the terminal reaches us first and it cleans up after us.
    with (folder / "supervisor.log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )


def _etcd_flags(folder: Path, port: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        "--listen-peer-urls=http://127.0.0.1:0",  # one member: nobody calls
        "--unsafe-no-fsync",  # the data need not survive the machine
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.control_plane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ensure = commands.add_parser("ensure", help="build what is missing, say where all of it is")
    more = ensure.add_mutually_exclusive_group()
    more.add_argument("--helm", action="store_const", dest="more", const=["helm"], help="helm too")
    text = "all that the tests need"
    more.add_argument("--all", action="store_const", dest="more", const=[*_MORE], help=text)
    path = commands.add_parser("path", help="print the path of one program")
    path.add_argument("name", choices=[*binaries.CONTROL_PLANE.programs, *_MORE])
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a build is ended with us
    try:
        if arguments.command == "path":
            print(_path(arguments.name))
            return
        names = [*binaries.CONTROL_PLANE.programs, *(arguments.more or [])]
        folders = {name: _path(name).parent for name in names}
    except SetupError as error:
        sys.exit(f"lab: {error}")
    for folder in sorted(set(folders.values())):
        here = ", ".join(name for name in names if folders[name] == folder)
        print(f"lab: {here} from {folder}")


_MORE: dict[str, Callable[[], Path]] = {
    "helm": binaries.helm_binary,
    "helm 3": binaries.helm_3_binary,
    "promtool": binaries.promtool_binary,
    "actionlint": binaries.actionlint_binary,
    "kstatus": binaries.kstatus_binary,
}


def _path(name: str) -> Path:
    return _MORE[name]() if name in _MORE else binaries.control_plane_binary(name)


if __name__ == "__main__":
    main()

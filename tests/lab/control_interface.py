"""The lab's control interface: JSON over HTTP on loopback. tests/lab/README.md documents it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.dump import dump
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator, plain
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.directory import FederatedCredential
from lab.microsoft365.sample import CLIENT, FABRIKAM
from lab.servers import LabServers

Json: TypeAlias = dict[str, Any]


class ControlInterface:
    """A listener on a free loopback port, for as long as it is entered."""

    def __init__(self, servers: LabServers) -> None:
        self._server = _Server(Actions(servers))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="lab-control", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Actions:
    """What can be asked, by method and path."""

    def __init__(self, servers: LabServers) -> None:
        self._servers = servers
        self.routes: Mapping[tuple[str, str], Callable[[Json], Any]] = {
            ("GET", "/"): self._routes,
            ("GET", "/state"): self._state,
            ("GET", "/counters"): self._counters,
            ("POST", "/faults"): self._fault,
            ("POST", "/cmdlet"): self._cmdlet,
            ("POST", "/keys/remove"): self._remove_keys,
            ("POST", "/roles"): self._roles,
            ("POST", "/domains"): self._domain,
            ("POST", "/federated"): self._federated,
            ("POST", "/reset"): self._reset,
            ("POST", "/shells/expire"): self._expire,
            ("GET", "/journal"): lambda _: self._servers.journal.as_dicts(),
            ("GET", "/hold"): lambda _: self._servers.hold.state(),
            ("POST", "/hold"): self._hold,
            ("POST", "/release"): self._release,
        }

    def _routes(self, _: Json) -> Any:
        return [f"{method} {path}" for method, path in self.routes]

    def _state(self, _: Json) -> Any:
        return {
            "exchange": dump(self._servers.organization),
            "microsoft365": self._servers.microsoft365.dump(),
        }

    def _counters(self, _: Json) -> Any:
        accounts = self._servers.accounts
        return {
            "exchange": {
                service.server.fqdn: {
                    "requests": service.counters.snapshot(),
                    "openShells": service.open_shells,
                    "openProcesses": service.open_processes,
                }
                for service in self._servers.services
            },
            "signIns": {
                "attempts": accounts.attempts.snapshot(),
                "failures": accounts.failures.snapshot(),
            },
            "microsoft365": list(self._servers.microsoft365.requests()),
        }

    def _fault(self, body: Json) -> Any:
        target, name, value = body.get("target", "exchange"), body["name"], body.get("value")
        if target == "microsoft365":
            self._servers.microsoft365.set_fault(name, value)
        else:
            server = "" if target == "exchange" else target
            set_fault(self._servers.organization, name, value, server)
        return {}

    def _cmdlet(self, body: Json) -> Any:
        somebody = administrator(self._servers.organization, body.get("server"))
        rows = somebody.run(body["cmdlet"], **body.get("parameters", {}))
        return [{key: plain(value) for key, value in row.items()} for row in rows]

    def _remove_keys(self, body: Json) -> Any:
        tenant, app = body.get("tenant", FABRIKAM), body.get("appId", EXCHANGE_ONLINE)
        gone = self._servers.microsoft365.remove_keys(tenant, app, body.get("keyId"))
        return {"removed": gone}

    def _roles(self, body: Json) -> Any:
        tenant, app = body.get("tenant", FABRIKAM), body.get("appId", CLIENT)
        self._servers.microsoft365.grant(tenant, app, body["roles"])
        return {}

    def _domain(self, body: Json) -> Any:
        self._servers.microsoft365.verify_domain(body.get("tenant", FABRIKAM), body["domain"])
        return {}

    def _federated(self, body: Json) -> Any:
        tenant, app = body.get("tenant", FABRIKAM), body.get("appId", CLIENT)
        trusted = FederatedCredential(body["issuer"], body["subject"], body["audience"])
        self._servers.microsoft365.federate(tenant, app, trusted, body["jwks"])
        return {}

    def _reset(self, body: Json) -> Any:
        unknown = set(body) - {"authCertificate", "latency"}
        if unknown:
            raise KeyError(*sorted(unknown))
        certificate, shape = body.get("authCertificate", True), self._servers.shape
        soon = isinstance(certificate, dict)
        fresh = replace(
            shape,
            auth_certificate=bool(certificate),
            days_left=_days(certificate["endsIn"]) if soon else None,
            latency=body.get("latency", shape.latency),
        )
        self._servers.reset(fresh)
        return asdict(fresh)

    def _expire(self, _: Json) -> Any:
        for service in self._servers.services:
            service.close()
        return {}

    def _hold(self, body: Json) -> Any:
        changes = bool(body.get("changes", True))
        number, when = int(body.get("number", 1)), str(body["when"])
        matching = str(body.get("matching", ""))
        self._servers.hold.arm(number, when, changes=changes, matching=matching)
        return self._servers.hold.state()

    def _release(self, _: Json) -> Any:
        self._servers.hold.release()
        return {}


def _days(text: str) -> float:
    """``60d``, ``36h`` or ``90m`` in days. Raises: ValueError, KeyError."""
    return float(text[:-1]) / {"d": 1, "h": 24, "m": 24 * 60}[text[-1]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, actions: Actions) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.actions = actions


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        action = self.server.actions.routes.get((self.command, self.path))
        if action is None:
            self._reply(404, {"error": f"no {self.command} {self.path}; GET / lists what there is"})
            return
        try:
            self._reply(200, action(json.loads(raw) if raw else {}))
        except (CmdletFailed, LookupError, TypeError, ValueError) as error:
            self._reply(400, {"error": f"{type(error).__name__}: {error}"})
        except Exception as error:
            self._reply(500, {"error": f"a bug of the lab: {type(error).__name__}: {error}"})
            raise

    def _reply(self, status: int, document: Any) -> None:
        body = json.dumps(document, indent=1).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

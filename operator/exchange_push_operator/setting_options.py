"""What can be set: one row for each flag of ``run``, which is a variable of the environment too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from exchange_push_operator.setting_values import (
    MOST_WORKERS,
    address,
    boolean,
    duration,
    file,
    folder,
    namespace,
    object_name,
    one_of,
    proxy,
    workers,
)

NAME = "exchange-push-operator"
PREFIX = "EXCHANGE_PUSH_OPERATOR_"


@dataclass(frozen=True, slots=True)
class Option:
    """A flag, and its variable of the environment.

    Without a ``metavar`` it is a switch; one that is on by default has a ``--no-`` too, whose help
    is ``off``.
    """

    flag: str
    metavar: str | None
    help: str
    parse: Callable[[str], Any]
    default: Any = None
    many: bool = False
    off: str = ""

    @property
    def field(self) -> str:
        """Its field in ``Settings``."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        """Its variable of the environment."""
        return PREFIX + self.field.upper()


OPTIONS = (
    Option(
        "--policy",
        "FILE",
        "needed: what the resources of each namespace may name: Exchange hosts, tenants, "
        "principals, issuer and push hosts (YAML); read anew when it changes",
        file,
    ),
    Option(
        "--ca-file",
        "FILE",
        "CA certificates (PEM) to trust besides the well-known ones; verification is always on",
        file,
    ),
    Option(
        "--entra-proxy",
        "URL",
        "HTTP proxy for everything that goes to Entra ID and Microsoft Graph, like "
        "http://proxy.corp.fabrikam.com:3128 (default: none; HTTPS_PROXY is not read)",
        proxy,
    ),
    Option(
        "--entra-proxy-credentials",
        "FOLDER",
        "folder with the files username and password (a mounted Secret) for that proxy, whose "
        "address then begins with https; read anew when they change",
        folder,
    ),
    Option(
        "--read-only",
        None,
        "look and report, write nothing to Exchange and Entra ID, whatever resources declare",
        boolean,
        default=False,
    ),
    Option(
        "--allow-safety-acts-outside-windows",
        None,
        "outside of spec.changeWindows, still do what keeps something that works from breaking "
        "(default; docs/approval.md lists it); with --no- such changes wait like all others",
        boolean,
        default=True,
    ),
    Option(
        "--watch-secrets",
        None,
        "act on a changed Secret at once; needs list and watch on all Secrets of the watched "
        "namespaces (default: it is read, by its name, at the next pass)",
        boolean,
        default=False,
    ),
    Option(
        "--max-interval",
        "DURATION",
        "the longest spec.interval that counts, like 90s, 5m or 1h30m (default: no cap)",
        duration,
    ),
    Option(
        "--unreachable-grace-period",
        "DURATION",
        "how long conditions stay as they were while no server, or Entra ID, answers (default: 5m)",
        duration,
        default=timedelta(minutes=5),
    ),
    Option(
        "--workers",
        "NUMBER",
        f"how many resources are looked at at the same time, 1 to {MOST_WORKERS} (default: 16)",
        workers,
        default=16,
    ),
    Option(
        "--namespace",
        "NAME",
        "watch this namespace only; may be repeated (in the environment: separated by commas; "
        "default: all namespaces)",
        namespace,
        many=True,
    ),
    Option(
        "--kubeconfig",
        "FILE",
        "the cluster to use outside of a Pod: this file's current context (in a Pod: its service "
        "account); the variable KUBECONFIG is never read",
        file,
    ),
    Option(
        "--leader-elect",
        None,
        "work only while this replica holds the Lease (default)",
        boolean,
        default=True,
        off="work without asking for the Lease: there is no other operator that could work at the "
        "same time",
    ),
    Option(
        "--lease-name",
        "NAME",
        f"the Lease that only one of the replicas holds (default: {NAME})",
        object_name,
        default=NAME,
    ),
    Option(
        "--lease-namespace",
        "NAME",
        "where that Lease is (default: the Pod's own namespace)",
        namespace,
    ),
    Option(
        "--health-address",
        "HOST:PORT",
        "where /livez, /readyz and /metrics are served; without HOST on all addresses, with "
        "port 0 on any free port (default: :8080)",
        address,
        default=("", 8080),
    ),
    Option(
        "--log-format",
        "FORMAT",
        "text for people, json for machines (default: text)",
        partial(one_of, ("text", "json")),
        default="text",
    ),
    Option(
        "--log-level",
        "LEVEL",
        "debug, info, warning or error (default: info); libraries log warnings only",
        partial(one_of, ("debug", "info", "warning", "error")),
        default="info",
    ),
)

"""The operator's settings, from flags and the environment. The only reader of ``os.environ``."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.setting_values import (
    MOST_WORKERS,
    boolean,
    duration,
    file,
    folder,
    namespace,
    one_of,
    proxy,
    workers,
)

NAME = "exchange-push-operator"
PREFIX = "EXCHANGE_PUSH_OPERATOR_"

# As argparse words it.
_VALUE_FOR_A_SWITCH = re.compile(r"argument (--[a-z-]+): ignored explicit argument .*", re.DOTALL)
# What Kubernetes itself sets for a Service that is called as we are.
_SERVICE_VARIABLE = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT)|PORT)(_.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs: what the installer decides, not the users of the resource."""

    policy: Path
    ca_file: Path | None
    entra_proxy: str | None
    entra_proxy_credentials: Path | None
    read_only: bool
    max_interval: timedelta | None
    unreachable_grace_period: timedelta
    workers: int
    namespaces: tuple[str, ...]
    kubeconfig: Path | None
    log_format: str
    log_level: str


@dataclass(frozen=True, slots=True)
class _Option:
    flag: str
    metavar: str | None  # None: a switch
    help: str
    parse: Callable[[str], Any]
    default: Any = None
    many: bool = False

    @property
    def field(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        return PREFIX + self.field.upper()


def read(given: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of ``run``; a flag goes before its variable.

    Ends the process with status 2 and one line on standard error for what cannot be understood.
    """
    environment = os.environ if environment is None else environment
    run: Parser = given.parser
    _refuse_unknown_variables(run, environment)
    values = {option.field: _value(run, option, vars(given), environment) for option in _OPTIONS}
    if values["policy"] is None:
        run.error("--policy FILE is needed: what it does not name is not allowed")
    if values["entra_proxy_credentials"] and not (values["entra_proxy"] or "").startswith("https:"):
        run.error("--entra-proxy-credentials needs an --entra-proxy of https: http shows passwords")
    namespaces = values.pop("namespace") or ()
    return Settings(namespaces=tuple(dict.fromkeys(namespaces)), **values)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        switch = _VALUE_FOR_A_SWITCH.fullmatch(message)
        if switch is not None:
            message = f"{switch[1]} takes no value: write {switch[1]} alone, or leave it out"
        self.exit(2, f"{self.prog}: {message}\n")


def add_arguments(run: Parser) -> None:
    """The flags of ``run``."""
    for option in _OPTIONS:
        _add(run, option)


def _add(parser: argparse.ArgumentParser, option: _Option) -> None:
    if option.metavar is None:
        parser.add_argument(option.flag, action="store_const", const="true", help=option.help)
    else:
        action = "append" if option.many else "store"
        parser.add_argument(option.flag, metavar=option.metavar, action=action, help=option.help)


def _value(
    parser: Parser, option: _Option, given: Mapping[str, Any], environment: Mapping[str, str]
) -> Any:
    text, source = given[option.field], option.flag
    if text is None:
        text, source = environment.get(option.variable) or None, option.variable
    if text is None:
        return option.default
    texts = text if isinstance(text, list) else text.split(",") if option.many else [text]
    try:
        values = [option.parse(item.strip()) for item in texts]
    except (ValueError, SpecError) as error:
        parser.error(f"{source}: {str(error).removeprefix(': ')}")
    return values if option.many else values[0]


def _refuse_unknown_variables(parser: Parser, environment: Mapping[str, str]) -> None:
    # A misspelt READ_ONLY would mean writes.
    known = {option.variable for option in _OPTIONS}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not _SERVICE_VARIABLE.fullmatch(name):
            parser.error(f"{name}: there is no such setting; see {NAME} run --help")


_OPTIONS = (
    _Option(
        "--policy",
        "FILE",
        "needed: what the resources of each namespace may name: Exchange hosts, tenants, "
        "principals, issuer and push hosts (YAML); read anew when it changes",
        file,
    ),
    _Option(
        "--ca-file",
        "FILE",
        "CA certificates (PEM) to trust besides the well-known ones; verification is always on",
        file,
    ),
    _Option(
        "--entra-proxy",
        "URL",
        "HTTP proxy for everything that goes to Entra ID and Microsoft Graph, like "
        "http://proxy.corp.fabrikam.com:3128 (default: none; HTTPS_PROXY is not read)",
        proxy,
    ),
    _Option(
        "--entra-proxy-credentials",
        "FOLDER",
        "folder with the files username and password (a mounted Secret) for that proxy, whose "
        "address then begins with https; read anew when they change",
        folder,
    ),
    _Option(
        "--read-only",
        None,
        "look and report, write nothing to Exchange and Entra ID, whatever resources declare",
        boolean,
        default=False,
    ),
    _Option(
        "--max-interval",
        "DURATION",
        "the longest spec.interval that counts, like 90s, 5m or 1h30m (default: no cap)",
        duration,
    ),
    _Option(
        "--unreachable-grace-period",
        "DURATION",
        "how long conditions stay as they were while no server, or Entra ID, answers (default: 5m)",
        duration,
        default=timedelta(minutes=5),
    ),
    _Option(
        "--workers",
        "NUMBER",
        f"how many resources are looked at at the same time, 1 to {MOST_WORKERS} (default: 16)",
        workers,
        default=16,
    ),
    _Option(
        "--namespace",
        "NAME",
        "watch this namespace only; may be repeated (in the environment: separated by commas; "
        "default: all namespaces)",
        namespace,
        many=True,
    ),
    _Option(
        "--kubeconfig",
        "FILE",
        "the cluster to use outside of a Pod: this file's current context (in a Pod: its service "
        "account); the variable KUBECONFIG is never read",
        file,
    ),
    _Option(
        "--log-format",
        "FORMAT",
        "text for people, json for machines (default: text)",
        partial(one_of, ("text", "json")),
        default="text",
    ),
    _Option(
        "--log-level",
        "LEVEL",
        "debug, info, warning or error (default: info); libraries log warnings only",
        partial(one_of, ("debug", "info", "warning", "error")),
        default="info",
    ),
)

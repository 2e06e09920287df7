"""The operator's settings, from flags and the environment. The only reader of ``os.environ``."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TextIO

from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.setting_options import NAME, OPTIONS, PREFIX, Option

__all__ = ["NAME", "PREFIX", "Parser", "Settings", "add_arguments", "in_colour", "read"]

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
    allow_safety_acts_outside_windows: bool
    watch_secrets: bool
    max_interval: timedelta | None
    unreachable_grace_period: timedelta
    workers: int
    namespaces: tuple[str, ...]
    kubeconfig: Path | None
    leader_elect: bool
    lease_name: str
    lease_namespace: str | None
    health_address: tuple[str, int]
    log_format: str
    log_level: str


def read(given: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of ``run``; a flag goes before its variable.

    Ends the process with status 2 and one line on standard error for what cannot be understood.
    """
    environment = os.environ if environment is None else environment
    run: Parser = given.parser
    _refuse_unknown_variables(run, environment)
    values = {option.field: _value(run, option, vars(given), environment) for option in OPTIONS}
    if values["policy"] is None:
        run.error("--policy FILE is needed: what it does not name is not allowed")
    if values["entra_proxy_credentials"] and not (values["entra_proxy"] or "").startswith("https:"):
        run.error("--entra-proxy-credentials needs an --entra-proxy of https: http shows passwords")
    namespaces = values.pop("namespace") or ()
    return Settings(namespaces=tuple(dict.fromkeys(namespaces)), **values)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with ``status``."""

    status = 2

    def error(self, message: str) -> NoReturn:
        """End the process."""
        switch = _VALUE_FOR_A_SWITCH.fullmatch(message)
        if switch is not None:
            message = f"{switch[1]} takes no value: write {switch[1]} alone, or leave it out"
        self.exit(self.status, f"{self.prog}: {message}\n")

    def understood(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read a command line; what is left over is told by the command that it was given to."""
        given, unknown = self.parse_known_args(arguments)
        if unknown:
            told: Parser = getattr(given, "parser", self)
            told.error(f"{_named(unknown)}; '{told.prog} --help' lists what there is")
        return given


def _named(unknown: Sequence[str]) -> str:
    """What is unknown, without its value: that may be a password."""
    flag = unknown[0].partition("=")[0]
    if not flag.startswith("-"):
        return "there is a word too much"
    if flag == "--password":
        return "--password: a password is no argument, for all would see it"
    return f"{flag}: there is no such flag"


def add_arguments(run: Parser) -> None:
    """The flags of ``run``."""
    for option in OPTIONS:
        _add(run, option)


def in_colour(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """A terminal that can, unless the person wants none (https://no-color.org)."""
    environment = os.environ if environment is None else environment
    wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return wanted and stream.isatty()


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.metavar is None:
        _add_switch(parser, option)
    else:
        action = "append" if option.many else "store"
        parser.add_argument(option.flag, metavar=option.metavar, action=action, help=option.help)


def _add_switch(parser: argparse.ArgumentParser, option: Option) -> None:
    named = [(option.flag, "true", option.help)]
    if option.default:
        named.append((option.flag.replace("--", "--no-"), "false", option.off))
    for flag, value, text in named:
        parser.add_argument(flag, dest=option.field, action="store_const", const=value, help=text)


def _value(
    parser: Parser, option: Option, given: Mapping[str, Any], environment: Mapping[str, str]
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
    known = {option.variable for option in OPTIONS}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not _SERVICE_VARIABLE.fullmatch(name):
            parser.error(f"{name}: there is no such setting; see {NAME} run --help")

"""``assess``: check the command line, look, print the report."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.winrm_transport import WireFactory, open_wire
from exchange_push_operator.assess.look import Asked, Doors, look
from exchange_push_operator.assess.report import FORMS, Report, as_text, judged
from exchange_push_operator.assess.written import as_yaml
from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.clouds import CLOUDS, Cloud
from exchange_push_operator.core.errors import PushError, SpecError, Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess, Sensitive
from exchange_push_operator.settings import NAME, in_colour
from exchange_push_operator.workstation import application, exchange, outside
from exchange_push_operator.workstation.asking import ask_at_terminal
from exchange_push_operator.workstation.flags import CERTIFICATE, SECRET
from exchange_push_operator.workstation.wording import for_a_workstation


def run(
    options: argparse.Namespace,
    *,
    ask: exchange.Ask = ask_at_terminal,
    wire: WireFactory = open_wire,
) -> int:
    """Look, print the report, write the resource; the exit code. Tests give another ``wire``.

    Raises: SpecError: the command line asks for what cannot be.
    """
    _check(options)
    asked = _asked(options)
    with _doors(options, asked, ask, wire) as doors:
        try:
            evidence = look(asked, doors)
            report = judged(evidence, version(NAME))
        except SpecError:
            raise
        except PushError as error:
            sys.stderr.write(f"{NAME}: {for_a_workstation(str(error))}\n")
            return 2
    sys.stdout.write(_printed(options.output, report))
    if options.write is not None:
        _write(options.write, as_yaml(evidence, report.version))
    return report.exit_code


def _check(options: argparse.Namespace) -> None:
    """Raises: SpecError: flags that need one another."""
    if application.is_given(options) != (options.client_id is not None):
        proof = f"{CERTIFICATE} or {SECRET}"
        raise SpecError(f"--client-id and {proof}: give both, or neither")
    if options.client_id is not None and options.tenant is None:
        raise SpecError("--client-id: needs --tenant, the domain of the tenant to sign in to")
    if options.write is not None and options.write.exists():
        message = f"--write {options.write}: exists and is not overwritten; name another file"
        raise SpecError(message)
    if options.write is not None and not options.write.parent.is_dir():
        raise SpecError(f"--write {options.write}: there is no folder {options.write.parent}")


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(
        server=options.server,
        transport=options.transport,
        scheme=options.scheme,
        port=exchange.port(options),
        host_script=options.host_script,
        cloud=CLOUDS[options.cloud],
        own_ca=options.ca_file is not None,
        tenant=options.tenant,
        client_id=options.client_id,
        by_secret=options.client_secret_file is not None,
    )


@contextmanager
def _doors(
    options: argparse.Namespace, asked: Asked, ask: exchange.Ask, wire: WireFactory
) -> Iterator[Doors]:
    """The product's own adapters, none of which may write."""
    access = graph_access(options, asked.cloud, clock.now())  # before the password is asked for
    account = exchange.access(options, ask)
    with outside.opened(options, wire) as opened:
        yield Doors(
            exchange=opened.exchanges.connect(account),
            metadata=opened.metadata,
            graph=lambda tenant_id: _signed_in(opened.graphs, access, tenant_id),
            clock=clock.now,
        )


def graph_access(options: argparse.Namespace, cloud: Cloud, now: datetime) -> GraphAccess | None:
    """The application of the command line, of no tenant yet. Raises: SpecError, Refused."""
    if not application.is_given(options):
        return None
    certificate, key = application.pair(options) or (None, None)
    if certificate and key:
        check_client_certificate(certificate, key, now, thorough=True)
    secret = application.secret(options)
    return GraphAccess(
        authority=cloud.authority,
        graph=cloud.graph,
        tenant_id="",
        client_id=options.client_id,
        client_secret=Sensitive.of(secret) if secret else None,
        certificate=certificate,
        private_key=Sensitive.of(key) if key else None,
        version="command line@",
    )


def _signed_in(graphs: EntraGraphs, access: GraphAccess | None, tenant_id: str) -> Graph:
    if access is None:  # then the resource has no credentials and asks nobody
        raise Unreachable("nobody signs in to Entra ID")
    return graphs.connect(replace(access, tenant_id=tenant_id))


def _printed(form: str, report: Report) -> str:
    if form == "text":
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        return as_text(report, colour=in_colour(sys.stdout), width=width)
    return FORMS[form](report)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"--write {path}: {error.strerror}"
        raise SpecError(message) from error

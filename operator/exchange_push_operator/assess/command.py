"""``assess``: check the command line, look, print the report."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.adapters.winrm_transport import WireFactory, open_wire
from exchange_push_operator.assess.flags import PORTS
from exchange_push_operator.assess.look import Asked, Doors, look
from exchange_push_operator.assess.read_only import no_writes
from exchange_push_operator.assess.report import FORMS, Report, as_text, judged
from exchange_push_operator.assess.sign_in import exchange_access, graph_access
from exchange_push_operator.assess.wording import for_a_workstation
from exchange_push_operator.assess.written import as_yaml
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.errors import PushError, SpecError, Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess
from exchange_push_operator.settings import NAME


def run(
    options: argparse.Namespace,
    *,
    ask: Callable[[str], str] = getpass.getpass,
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
    if options.write is not None:
        _write(options.write, as_yaml(evidence, report.version))
    sys.stdout.write(_printed(options.output, report))
    return report.exit_code


def _check(options: argparse.Namespace) -> None:
    """Raises: SpecError: flags that need one another."""
    if (options.client_id is None) != (options.client_certificate is None):
        raise SpecError("--client-id and --client-certificate: give both, or neither")
    if options.client_id is not None and options.tenant is None:
        raise SpecError("--client-id: needs --tenant, the domain of the tenant to sign in to")
    if options.client_key is not None and options.client_certificate is None:
        raise SpecError("--client-key: needs --client-certificate")
    if options.write is not None and options.write.exists():
        message = f"--write {options.write}: exists and is not overwritten; name another file"
        raise SpecError(message)


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(
        server=options.server,
        transport=options.transport,
        scheme=options.scheme,
        port=options.port or PORTS[options.scheme],
        host_script=options.host_script,
        cloud=CLOUDS[options.cloud],
        own_ca=options.ca_file is not None,
        tenant=options.tenant,
        client_id=options.client_id,
    )


@contextmanager
def _doors(
    options: argparse.Namespace, asked: Asked, ask: Callable[[str], str], wire: WireFactory
) -> Iterator[Doors]:
    """The product's own adapters, none of which may write."""
    application = _application(options, asked)  # read before the password is asked for
    access = exchange_access(options, ask)
    with ca_bundle(options.ca_file) as authorities:
        https = Https(authorities, fence=no_writes)
        exchanges = WinRMExchanges(authorities, fence=no_writes, protocol_factory=wire)
        graphs = EntraGraphs(https, clock.now)
        try:
            yield Doors(
                exchange=exchanges.connect(access),
                metadata=HttpMetadata(https),
                graph=lambda tenant_id: _signed_in(graphs, application, tenant_id),
                clock=clock.now,
            )
        finally:
            exchanges.close()
            https.close()


def _application(options: argparse.Namespace, asked: Asked) -> GraphAccess | None:
    if options.client_certificate is None:
        return None
    return graph_access(options, asked.cloud, clock.now())


def _signed_in(graphs: EntraGraphs, application: GraphAccess | None, tenant_id: str) -> Graph:
    if application is None:  # then the resource has no credentials and asks nobody
        raise Unreachable("nobody signs in to Entra ID")
    return graphs.connect(replace(application, tenant_id=tenant_id))


def _printed(form: str, report: Report) -> str:
    if form == "text":
        return as_text(report, colour=sys.stdout.isatty())
    return FORMS[form](report)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"--write {path}: {error.strerror}"
        raise SpecError(message) from error

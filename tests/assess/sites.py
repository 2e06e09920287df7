"""The in-process lab behind the doors of an assessment."""

from __future__ import annotations

from collections.abc import Sequence

from exchange_push_operator.adapters.allow_list import check
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.look import Asked, Doors, look
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.ports import Answer, Graph, GraphAccess, Sensitive
from lab.exchange.in_process import InProcessExchange
from lab.in_process import Lab
from lab.microsoft365.in_process import InProcessGraph, InProcessMetadata
from lab.microsoft365.sample import SECRET

EX1 = "ex1.corp.fabrikam.com"
CLIENT_ID = "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21"


class _ReadOnly:
    """The model behind the rule of a read-only access."""

    def __init__(self, exchange: InProcessExchange) -> None:
        self._exchange = exchange

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        assert not changes
        for command in batch:
            check(command, changes=False)
        return self._exchange.run(server, batch)


def assessed(
    site: Lab, *, server: str = EX1, tenant: str | None = "fabrikam.com", entra: bool = True
) -> Evidence:
    """What the command would see of a lab."""
    cloud = CLOUDS["Global"]

    def graph(tenant_id: str) -> Graph:
        access = GraphAccess(
            authority=cloud.authority,
            graph=cloud.graph,
            tenant_id=tenant_id,
            client_id=CLIENT_ID,
            client_secret=Sensitive.of(SECRET),
            certificate=None,
            private_key=None,
            version="",
        )
        return InProcessGraph(site.microsoft365, access)

    asked = Asked(
        server=server,
        transport="NTLM",
        scheme="HTTPS",
        port=5986,
        host_script="Streamed",
        cloud=cloud,
        tenant=tenant,
        client_id=CLIENT_ID if entra else None,
    )
    doors = Doors(
        exchange=_ReadOnly(InProcessExchange(site.organization)),
        metadata=InProcessMetadata(site.microsoft365),
        graph=graph,
        clock=site.clock,
        together=lambda ask, names: [ask(name) for name in names],
    )
    return look(asked, doors)

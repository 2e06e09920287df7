"""The in-process lab behind the doors of an assessment, and the sample report of docs/assess.md.

``python -m lab.assessment`` prints the sample; ``make render`` puts it into the page.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from exchange_push_operator.adapters.allow_list import check
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.look import Asked, Doors, look
from exchange_push_operator.assess.report import as_text, judged
from exchange_push_operator.assess.written import as_yaml
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.ports import Answer, Graph
from lab.exchange.faults import set_fault
from lab.exchange.in_process import InProcessExchange
from lab.in_process import Lab, lab
from lab.microsoft365.in_process import InProcessMetadata, workstation_graph

EX1 = "ex1.corp.fabrikam.com"
PAGE = Path("docs/assess.md")
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
    site: Lab,
    *,
    tenant: str | None = "fabrikam.com",
    entra: bool = True,
    client_id: str = CLIENT_ID,
    by_secret: bool = False,
) -> Evidence:
    """What the command would see of a lab."""
    cloud = CLOUDS["Global"]

    def graph(tenant_id: str) -> Graph:
        return workstation_graph(site.microsoft365, tenant_id, client_id)

    asked = Asked(
        server=EX1,
        transport="NTLM",
        scheme="HTTPS",
        port=5986,
        host_script="Streamed",
        cloud=cloud,
        tenant=tenant,
        client_id=client_id if entra else None,
        by_secret=by_secret,
    )
    doors = Doors(
        exchange=_ReadOnly(InProcessExchange(site.organization)),
        metadata=InProcessMetadata(site.microsoft365),
        graph=graph,
        clock=site.clock,
        together=lambda ask, names: [ask(name) for name in names],
    )
    return look(asked, doors)


def sample() -> tuple[str, str]:
    """A report with troubles of many kinds, and the file that is written beside it."""
    site = lab()
    site.operator().run()
    site.clock.forward(days=1)
    url = site.exchange()["authServers"][0]["metadataUrl"]
    site.administrator("New-AuthServer", Name="ACS - old", AuthMetadataUrl=url)
    site.administrator("Disable-PushNotificationProxy", Confirm=False)
    first, second = site.organization.servers.values()
    del second.store[site.exchange()["authConfig"]["current"]]
    first.internet_web_proxy = "http://proxy.corp.fabrikam.com:8080/"
    set_fault(site.organization, "outbound_blocked", value=True, server=second.name)
    evidence = assessed(site)
    texts = as_text(judged(evidence, "0.1.0")), as_yaml(evidence, "0.1.0")
    report, written = _stable("\0".join(texts)).split("\0")
    return report, written


_MADE_UP = re.compile(r"\b[0-9A-F]{40}\b|(?<=servicePrincipals/)[0-9a-f-]{36}")


def _stable(text: str) -> str:
    """Other thumbprints and ids, the same at each run: keys are made anew by every process."""
    found = dict.fromkeys(_MADE_UP.findall(text))
    for number, old in enumerate(found):
        digits = hashlib.sha256(f"sample {number}".encode()).hexdigest()
        text = text.replace(old, _like(old, digits))
    return text


def _like(old: str, digits: str) -> str:
    if "-" not in old:
        return digits[:40].upper()
    return "-".join((digits[:8], "0000", "4000", "8000", digits[:12]))


def page(text: str) -> str:
    """The page with its two samples made anew. Raises: ValueError: a mark is missing."""
    for mark, sample_text in zip(("report", "file"), sample(), strict=True):
        found = re.search(rf"<!-- sample {mark} -->\n\n```\w+\n(.*?)```", text, re.DOTALL)
        if found is None:
            message = f"{PAGE}: no <!-- sample {mark} --> with a block below it"
            raise ValueError(message)
        text = text[: found.start(1)] + sample_text + text[found.end(1) :]
    return text


if __name__ == "__main__":
    sys.stdout.write("\n".join(sample()))

"""One whole walk, from a resource that was just applied to Ready, over each way of signing in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.kerberos_site import EX2, FIRST, PASSWORDS, KerberosServers, realm
from lab.exchange.kdc import REALM, KeyDistributionCentre, missing
from lab.in_process import Operator, lab

pytestmark = pytest.mark.lab

needs_kdc = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def kdc() -> Iterator[KeyDistributionCentre | None]:
    if missing():
        yield None
        return
    with realm() as one:
        one.administer(f"modify_principal +ok_as_delegate HTTP/{EX2}")
        yield one


@pytest.mark.parametrize("scheme", ["HTTP", "HTTPS"])
@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        pytest.param("Kerberos", "password", marks=needs_kdc),
        pytest.param("Kerberos", "keytab", marks=needs_kdc),
        ("NTLM", "password"),
    ],
)
def test_a_walk_ends_ready(
    kdc: KeyDistributionCentre | None, tmp_path: Path, scheme: str, transport: str, kind: str
) -> None:
    connection = {"scheme": scheme, "transport": transport}
    outside = lab({"exchange": {"connection": connection}}, auth_certificate=False)
    secret = outside.secrets["fabrikam-exchange"]
    secret["password"] = PASSWORDS[FIRST].encode()
    if kdc and kind == "keytab":
        secret.pop("password")
        secret["keytab"] = kdc.keytab(FIRST)
    operator = Operator(outside)
    with ExitStack() as things:
        site = KerberosServers(kdc, outside.organization, tmp_path, things)
        operator.world = replace(operator.world, exchange=site.pool.connect)
        operator.run()
        assert outside.condition("Ready") == ("True", "Succeeded")
        account = f"{FIRST}@{REALM}" if transport == "Kerberos" else f"CORP\\{FIRST}"
        for service in site.services.values():
            seen = service.sign_ins
            assert seen[account] == 1
            assert seen["delegated"] == (kind == "keytab")
        site.pool.close()
        assert [service.open_shells for service in site.services.values()] == [0, 0]
    reference = lab(auth_certificate=False)
    reference.operator().run()
    assert outside.outside() == reference.outside()

"""The sample tenants that examples, demo and tests use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509

from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.directory import ClientSecret, Holder, KeyCredential, Kind, Tenant
from lab.microsoft365.world import Microsoft365, system_clock
from lab.network.ca import key_pem, rsa_key, self_signed

FABRIKAM = "72f988bf-0000-4000-8000-2d7cd011db47"
CONTOSO = "c0ffee00-0000-4000-8000-000000000001"
CLIENT = "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21"
CONTOSO_CLIENT = "3f2b1c8a-0000-4000-8000-c0ffee000001"
DEDICATED = "8b7a6c5d-0000-4000-8000-1a2b3c4d5e6f"
ORGANIZATION = "0f7c2a54-0000-4000-8000-9f61d7b3c8aa"
SECRET = "lab-client-secret~fabrikam"
CLIENT_NAME = "exchange-push-operator"


def client_key_pem() -> bytes:
    """The operator's private key: ``tls.key``."""
    return key_pem(rsa_key(CLIENT_NAME))


def client_certificate(clock: Callable[[], datetime] = system_clock) -> x509.Certificate:
    """A certificate over that key, valid for a year from yesterday."""
    return self_signed(CLIENT_NAME, start=clock() - timedelta(days=1))


def sample(
    *,
    clock: Callable[[], datetime] = system_clock,
    certificate: x509.Certificate | None = None,
) -> Microsoft365:
    """fabrikam.com with the operator's application (secret, and ``certificate`` if given) and the
    dedicated one, and contoso.com with an operator of its own."""
    fabrikam = Tenant(
        FABRIKAM, ("fabrikam.com", "fabrikam.onmicrosoft.com", "fabrikam.net"), "Fabrikam"
    )
    contoso = Tenant(CONTOSO, ("contoso.com", "contoso.onmicrosoft.com"), "Contoso")
    secret = ClientSecret(SECRET, clock() + timedelta(days=180))
    keys = (KeyCredential.of(certificate, CLIENT_NAME),) if certificate else ()
    fabrikam.register(CLIENT, CLIENT_NAME, secrets=(secret,), keys=keys)
    dedicated = f"ExchangeServerApp-{ORGANIZATION}"
    fabrikam.register(DEDICATED, dedicated, owners={CLIENT}, roles=())
    contoso.register(CONTOSO_CLIENT, CLIENT_NAME, secrets=(secret,))
    foreign = KeyCredential.of(
        foreign_certificate(clock), "CN=Microsoft Exchange Server Auth Certificate"
    )
    fabrikam.provision(EXCHANGE_ONLINE, "Office 365 Exchange Online", [foreign])
    contoso.provision(EXCHANGE_ONLINE, "Office 365 Exchange Online")
    return Microsoft365(fabrikam, contoso, clock=clock)


def foreign_certificate(clock: Callable[[], datetime] = system_clock) -> x509.Certificate:
    """A key on the first-party principal that is not the operator's."""
    return self_signed("another organisation's server", start=clock() - timedelta(days=30))


def principal(model: Microsoft365, app_id: str = EXCHANGE_ONLINE) -> Holder:
    """The first-party principal of fabrikam.com, or the application of another id."""
    kind = Kind.PRINCIPAL if app_id == EXCHANGE_ONLINE else Kind.APPLICATION
    found = model.tenant(FABRIKAM).find(kind, app_id)
    if found is None:
        raise LookupError(app_id)
    return found

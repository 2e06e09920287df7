"""Where the adapters name a field of the resource or the cluster, a workstation has flags. Pure."""

from __future__ import annotations

_PREFIX = "spec.exchange.connection."
# Longer texts first: the first that is found is replaced everywhere.
_WORDS = (
    (f"in the Secret of {_PREFIX}credentialsSecretRef", "of the command line"),
    (f"Secret of {_PREFIX}credentialsSecretRef", "password or keytab of the command line"),
    (f"the account of {_PREFIX}credentialsSecretRef", "the account"),
    (f"{_PREFIX}credentialsSecretRef", "--username"),
    (f"Secret of {_PREFIX}caSecretRef", "--ca-file"),
    (f"{_PREFIX}hostScript:", "--host-script"),
    (f"{_PREFIX}transport:", "--transport"),
    (f"{_PREFIX}scheme", "--scheme"),
    (_PREFIX.rstrip("."), "--transport, --scheme and --port"),
    ("spec.exchange.servers", "--server"),
    ("tls.crt of the Secret named in tenant.credentials.clientCertificate", "--client-certificate"),
    ("in the Secret named in tenant.credentials.clientCertificate", "of the command line"),
    ("in the Secret named in tenant.credentials.clientSecret", "of the command line"),
    ("tenant.credentials.clientCertificate", "--client-certificate"),
    ("tenant.credentials.clientSecret", "--client-secret-file"),
    ("the DNS of the cluster", "the DNS of this machine"),
    ("between the cluster and the server", "between this machine and the server"),
)


def for_a_workstation(text: str) -> str:
    """The same message with flags in the place of fields."""
    for field, flag in _WORDS:
        text = text.replace(field, flag)
    return text

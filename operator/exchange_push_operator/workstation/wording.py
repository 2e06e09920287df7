"""Where the adapters name a field of the resource or the cluster, a workstation has flags. Pure."""

from __future__ import annotations

_PREFIX = "spec.exchange.connection."
# Longer texts first: the first that is found is replaced everywhere.
_SIGN_IN = (
    (f"in the Secret of {_PREFIX}credentialsSecretRef", "of the command line"),
    (f"Secret of {_PREFIX}credentialsSecretRef", "password or keytab of the command line"),
    (f"the account of {_PREFIX}credentialsSecretRef", "the account"),
    (f"{_PREFIX}credentialsSecretRef", "--username"),
    (f"the Secret of {_PREFIX}caSecretRef, or --ca-file", "a file, and name it with --ca-file"),
    (f"Secret of {_PREFIX}caSecretRef", "--ca-file"),
    ("tls.crt of the Secret named in tenant.credentials.clientCertificate", "--client-certificate"),
    ("in the Secret named in tenant.credentials.clientCertificate", "of the command line"),
    ("in the Secret named in tenant.credentials.clientSecret", "of the command line"),
    ("tenant.credentials.clientCertificate", "--client-certificate"),
    ("tenant.credentials.clientSecret", "--client-secret-file"),
    ("the DNS of the cluster", "the DNS of this machine"),
    ("between the cluster and the server", "between this machine and the server"),
    ("the clocks of the cluster", "the clocks of this machine"),
    ("check that the cluster resolves", "check that this machine resolves"),
    ("on the operator's nodes", "on this machine"),
)
_CONNECTION = (
    (f"{_PREFIX}hostScript:", "--host-script"),
    (f"{_PREFIX}transport:", "--transport"),
    (f"{_PREFIX}scheme", "--scheme"),
    (_PREFIX.rstrip("."), "--transport, --scheme and --port"),
    ("spec.exchange.servers", "--server"),
)


def for_who_signs_in_here(text: str) -> str:
    """The same message, where account and network are of this machine, and a resource is read."""
    for field, flag in _SIGN_IN:
        text = text.replace(field, flag)
    return text


def for_a_workstation(text: str) -> str:
    """The same message with flags in the place of fields, where there is no resource at all."""
    text = for_who_signs_in_here(text)
    for field, flag in _CONNECTION:
        text = text.replace(field, flag)
    return text

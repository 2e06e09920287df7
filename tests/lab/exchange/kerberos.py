"""Kerberos on the server's side of one TCP connection, with the service's keytab."""

from __future__ import annotations

from pathlib import Path

import gssapi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from gssapi.raw import (
    IOV,
    ChannelBindings,
    IOVBuffer,
    IOVBufferType,
    acquire_cred_from,
    unwrap_iov,
    wrap_iov,
)

from lab.exchange.messages import KERBEROS, SPNEGO, NotAuthenticated, SignedIn


class KerberosContext(SignedIn):
    """One sign-in. ``certificate`` is the listener's, where it speaks TLS.

    As WinRM with ``CbtHardeningLevel=Relaxed``: no channel binding is fine, a wrong one is not.
    """

    def __init__(self, keytab: Path, scheme: str, certificate: bytes = b"") -> None:
        self.protocol = KERBEROS if scheme == "Kerberos" else SPNEGO
        # each sign-in is another connection of one machine: no file against replays
        store = {b"keytab": str(keytab).encode(), b"rcache": b"none:"}
        credential = acquire_cred_from(store, usage="accept").creds
        self._context = gssapi.SecurityContext(
            creds=gssapi.Credentials(base=credential),
            usage="accept",
            channel_bindings=_end_point(certificate),
        )

    def step(self, token: bytes) -> bytes:
        answer = b""
        try:
            answer = self._context.step(token) or b""
            complete = self._context.complete  # raises what gssapi has put off
        except gssapi.exceptions.GSSError as error:
            # inferred: that http.sys passes the KRB-ERROR on
            raise NotAuthenticated(answer) from error
        if complete:
            self.user = str(self._context.initiator_name).rstrip("\x00")
            self.delegated = self._context.delegated_creds is not None
            flags = self._context.actual_flags
            self.bound = gssapi.RequirementFlag.channel_bound in flags
        return bytes(answer)

    def wrap(self, body: bytes) -> tuple[bytes, bytes, int]:
        iov = IOV(IOVBufferType.header, body, IOVBufferType.padding, std_layout=False)
        wrap_iov(self._context, iov, confidential=True)
        padding = iov[2].value or b""
        return iov[0].value, iov[1].value + padding, len(padding)

    def unwrap(self, signature: bytes, sealed: bytes) -> bytes:
        header = IOVBuffer(IOVBufferType.header, False, signature)  # noqa: FBT003 - a named tuple
        iov = IOV(header, sealed, IOVBufferType.data, std_layout=False)
        try:
            unwrap_iov(self._context, iov)
        except gssapi.exceptions.GSSError as error:
            raise NotAuthenticated from error
        return bytes(iov[1].value)


def _end_point(certificate: bytes) -> ChannelBindings | None:
    if not certificate:
        return None
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    digest = hashes.Hash(algorithm or hashes.SHA256())
    digest.update(certificate)
    return ChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())

"""Signs one WinRM connection in with Kerberos, once, and encrypts its messages.

As pywinrm's own does on the wire: scheme Negotiate, the Kerberos token as it is, messages as
MS-WSMV 2.2.9.1 has them. Other than there, the ticket is this account's alone, the server's name
is taken as it was declared (no DNS name is believed), a TLS connection is bound to the sign-in,
and nothing but an empty request is ever sent before both sides have proven who they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from ssl import SSLSocket
from typing import Any

import gssapi
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from gssapi.raw import IOV, ChannelBindings, IOVBuffer, IOVBufferType, unwrap_iov, wrap_iov
from requests import PreparedRequest, Response
from requests.auth import AuthBase
from winrm.exceptions import WinRMTransportError

from exchange_push_operator.adapters.kerberos_tickets import KERBEROS, Tickets
from exchange_push_operator.adapters.kerberos_words import (
    explain_code,
    not_delegated,
    not_offered,
    not_proven,
)
from exchange_push_operator.adapters.winrm_trouble import HTTP_STALE, NoTicket

_OK = 200
_UNAUTHORIZED = 401
_OFFER = re.compile(r"\bNegotiate\b\s*([A-Za-z0-9+/=]*)", re.IGNORECASE)
_FLAGS = (
    gssapi.RequirementFlag.mutual_authentication
    | gssapi.RequirementFlag.confidentiality
    | gssapi.RequirementFlag.integrity
    | gssapi.RequirementFlag.replay_detection
    | gssapi.RequirementFlag.out_of_sequence_detection
)


class KerberosSignIn(AuthBase):
    """For one ``requests`` session with one connection; another connection needs another one."""

    def __init__(self, server: str, tickets: Tickets) -> None:
        """Nothing is sent yet."""
        self._server = server
        self._tickets = tickets
        self._context: gssapi.SecurityContext | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Wait for the server to ask."""
        request.headers["Connection"] = "Keep-Alive"
        request.register_hook("response", self._answer)  # type: ignore[no-untyped-call] # requests
        return request

    def _answer(self, response: Response, **options: Any) -> Response:
        try:
            return self._handle(response, options)
        except gssapi.exceptions.GSSError as error:
            response.close()
            meaning = explain_code(error.min_code, self._tickets.who(self._server))
            raise NoTicket(meaning) from error
        except (NoTicket, WinRMTransportError):
            response.close()
            raise

    def _handle(self, response: Response, options: dict[str, Any]) -> Response:
        if response.status_code == _OK and self._context is None:
            raise NoTicket(not_proven(self._tickets.who(self._server)))
        if response.status_code != _UNAUTHORIZED:
            return response
        if self._context is not None:
            # The server has dropped the connection and requests has made another: for WinRM the
            # same as a message that it cannot decrypt, and the same cure.
            raise WinRMTransportError("http", HTTP_STALE, "")
        offer = _token(response)
        if offer is None:
            raise NoTicket(not_offered(self._tickets.who(self._server)))
        return self._sign_in(response, options)

    def _sign_in(self, response: Response, options: dict[str, Any]) -> Response:
        ticket = self._tickets.get(self._server)
        context = self._new_context(ticket.credential(), _channel_bindings(response))
        token = base64.b64encode(context.step()).decode()
        response.content  # noqa: B018 - read to its end, so that the connection can be used again
        response.raw.release_conn()
        request = response.request.copy()
        request.headers["Authorization"] = f"Negotiate {token}"
        answer: Response = response.connection.send(request, **options)
        try:
            self._check(answer, context)
        except BaseException:
            answer.close()
            raise
        self._context = context
        return answer

    def _new_context(
        self, credential: gssapi.Credentials, bindings: ChannelBindings | None
    ) -> gssapi.SecurityContext:
        # No realm: libkrb5 asks the account's own, which refers to the server's where that is
        # another. A host-based name would be looked up in DNS first, and DNS proves nothing.
        name = gssapi.Name(f"HTTP/{self._server}@", gssapi.NameType.kerberos_principal)
        # As Windows does: only where the domain trusts the server for delegation.
        policy = gssapi.RequirementFlag.ok_as_delegate
        return gssapi.SecurityContext(
            name=name,
            creds=credential,
            mech=KERBEROS,
            flags=_FLAGS | policy if self._tickets.delegates else _FLAGS,
            usage="initiate",
            channel_bindings=bindings,
        )

    def _check(self, answer: Response, context: gssapi.SecurityContext) -> None:
        who, proof = self._tickets.who(self._server), _token(answer)
        if proof:
            context.step(proof)
        complete = context.complete  # raises what the server turned down: gssapi has put it off
        if answer.status_code != _OK:
            return
        if not complete:
            raise NoTicket(not_proven(who))
        delegated = gssapi.RequirementFlag.delegate_to_peer in context.actual_flags
        if self._tickets.delegates and not delegated:
            raise NoTicket(not_delegated(who))

    def wrap_winrm(self, host: str, message: bytes) -> tuple[bytes, bytes]:
        """Called by pywinrm: the encrypted message and its signature."""
        del host
        iov = IOV(IOVBufferType.header, message, IOVBufferType.padding, std_layout=False)
        wrap_iov(self._context, iov, confidential=True)
        return iov[1].value + (iov[2].value or b""), iov[0].value

    def unwrap_winrm(self, host: str, message: bytes, signature: bytes) -> bytes:
        """Called by pywinrm: the message in clear. Raises: WinRMTransportError: it is altered."""
        del host
        header = IOVBuffer(IOVBufferType.header, False, signature)  # noqa: FBT003 - a named tuple
        iov = IOV(header, message, IOVBufferType.data, std_layout=False)
        if not unwrap_iov(self._context, iov).encrypted:
            raise WinRMTransportError("http", 200, "")
        return bytes(iov[1].value)


def _token(response: Response) -> bytes | None:
    """What the server says; empty where it only offers Negotiate, None where it does not."""
    found = _OFFER.search(response.headers.get("WWW-Authenticate", ""))
    if found is None:
        return None
    try:
        return base64.b64decode(found.group(1), validate=True)
    except binascii.Error:
        return b""


def _channel_bindings(response: Response) -> ChannelBindings | None:
    """The certificate of the TLS connection (RFC 5929 4); None for plain HTTP."""
    socket = getattr(response.raw.connection, "sock", None)
    if not isinstance(socket, SSLSocket):
        return None
    der = socket.getpeercert(binary_form=True) or b""
    algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = SHA256()
    digest = Hash(algorithm)
    digest.update(der)
    return ChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())

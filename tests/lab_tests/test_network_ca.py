"""The lab's CA makes certificates that TLS accepts for their names, and for no others."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lab.network.ca import PrivateCA, self_signed

pytestmark = pytest.mark.lab


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, context))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def _accept(server: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = server.accept()
    with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)
    connection.close()


def shake_hands(ca: PrivateCA, context: ssl.SSLContext, name: str) -> None:
    with (
        serving(context) as port,
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        ca.client_context().wrap_socket(plain, server_hostname=name),
    ):
        pass


@pytest.mark.parametrize("name", ["ex1.corp.fabrikam.com", "localhost", "127.0.0.1"])
def test_a_leaf_serves_its_names(tmp_path: Path, name: str) -> None:
    ca = PrivateCA()
    leaf = ca.issue(["ex1.corp.fabrikam.com", "localhost", "127.0.0.1"])
    shake_hands(ca, leaf.server_context(tmp_path), name)


def test_another_name_is_not_trusted(tmp_path: Path) -> None:
    ca = PrivateCA()
    context = ca.issue(["ex1.corp.fabrikam.com"]).server_context(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(ca, context, "ex2.corp.fabrikam.com")


def test_another_ca_is_not_trusted(tmp_path: Path) -> None:
    context = PrivateCA("other").issue(["ex1.corp.fabrikam.com"]).server_context(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(PrivateCA(), context, "ex1.corp.fabrikam.com")


def test_files_are_pem_and_the_key_is_private(tmp_path: Path) -> None:
    ca = PrivateCA()
    leaf = ca.issue(["localhost"]).write(tmp_path / "leaf.pem")
    assert leaf.stat().st_mode & 0o777 == 0o600
    assert leaf.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert ca.write(tmp_path / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_a_certificate_of_its_own_has_the_name_that_is_asked_for() -> None:
    certificate = self_signed("somebody", days=30)
    assert certificate.subject == certificate.issuer
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30

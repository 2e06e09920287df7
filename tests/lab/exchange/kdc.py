"""The key distribution centre of the lab's domain: a real krb5kdc (MIT Kerberos, from Debian).

Active Directory's differs in much, but not in RFC 4120, which is all that is used here.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from importlib.util import find_spec
from typing import Self

from lab import wait
from lab.processes import Process, Processes

REALM = "CORP.FABRIKAM.COM"
_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local")
_COMPLAINTS = ("add_principal:", "modify_principal:", "ktadd:", "kadmin")
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))

KRB5_CONF = """\
[libdefaults]
  default_realm = NOBODY.READS.THIS
  dns_lookup_kdc = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""
KDC_CONF = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    max_life = 10h
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


def missing() -> str:
    """Why there can be no Kerberos here; empty where there can."""
    programs = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if programs:
        return f"no {', '.join(programs)}: install krb5-kdc and krb5-admin-server"
    modules = [name for name in ("gssapi", "krb5") if find_spec(name) is None]
    if modules:
        return f"no {', '.join(modules)} in .venv: install gcc and libkrb5-dev, then make clean"
    return ""


class KeyDistributionCentre:
    """A context manager; its files and its process go with it."""

    def __init__(self) -> None:
        self._processes = Processes("exchange-push-kdc-")
        self.folder = self._processes.folder
        self.krb5_conf = self.folder / "krb5.conf"
        self.service_keytab = self.folder / "services.keytab"
        self._log = self.folder / "kdc.log"
        self._process: Process | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def __enter__(self) -> Self:
        values = {"realm": REALM, "port": self.port, "folder": self.folder}
        self.krb5_conf.write_text(KRB5_CONF.format(**values))
        (self.folder / "kdc.conf").write_text(KDC_CONF.format(**values))
        self._call("kdb5_util", "create", "-s", "-r", REALM, "-P", "of-the-lab")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def start(self) -> None:
        """Answer."""
        before = self.log.count("commencing operation")
        command = [_program("krb5kdc"), "-n", "-r", REALM]
        output = self.folder / "krb5kdc.out"
        self._process = self._processes.start(command, self._environment(), output)
        wait.until(
            lambda: self.log.count("commencing operation") > before, 10, "the KDC to be ready"
        )

    def stop(self) -> None:
        """Answer nothing more, until started again."""
        assert self._process is not None
        self._processes.stop(self._process)

    def add_account(self, name: str, password: str) -> None:
        """A user with a password."""
        self.administer(f'add_principal -pw "{password}" +requires_preauth {name}')

    def add_service(self, host: str, *, trusted: bool = False) -> None:
        """``HTTP/host``, with its key in ``service_keytab``; perhaps trusted for delegation."""
        flag = "+" if trusted else "-"
        self.administer(f"add_principal -randkey {flag}ok_as_delegate HTTP/{host}")
        self.administer(f"ktadd -k {self.service_keytab} HTTP/{host}")

    def keytab(self, name: str) -> bytes:
        """A keytab of a user whose password stays as it is."""
        file = self.folder / f"{name}.keytab"
        self.administer(f"ktadd -norandkey -k {file} {name}")
        return file.read_bytes()

    def administer(self, command: str) -> None:
        """A command of kadmin.local."""
        self._call("kadmin.local", "-r", REALM, "-q", command)

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def asked(self, account: str, answer: str) -> int:
        """How often an account's own ticket was answered so, such as ``ISSUE``."""
        return sum(
            "AS_REQ" in line and f"{answer}:" in line and f" {account}@{REALM} " in line
            for line in self.log.splitlines()
        )

    def _call(self, program: str, *arguments: str) -> None:
        command = [_program(program), *arguments]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, check=False, timeout=60
        )
        # kadmin.local ends with 0 whatever happens; its complaints begin with its command's name
        words = done.stderr.decode(errors="replace")
        failed = [line for line in words.splitlines() if line.startswith(_COMPLAINTS)]
        assert done.returncode == 0, f"{program}: {words}"
        assert not failed, f"{program}: {words}"

    def _environment(self) -> dict[str, str]:
        profile = str(self.folder / "kdc.conf")
        names = {"KRB5_CONFIG": str(self.krb5_conf), "KRB5_KDC_PROFILE": profile}
        return {**os.environ, **names}


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, missing()
    return found

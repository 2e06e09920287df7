"""What the acts of `make e2e-cluster` stand on: the resource, the lab's controls, figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import wait
from lab.cluster import Cluster
from lab.control_client import Control
from lab.demo_screen import Screen
from lab.installation import Installation, Names
from lab.node.release import NAMESPACE
from lab.resource_client import ResourceClient

_WARNINGS = ("get", "events", "--all-namespaces", "--field-selector=type=Warning")


class Stage(ResourceClient):
    """Resources of the namespace `exchange`; prints what is done and each figure."""

    control: Control

    def __init__(self, screen: Screen, cluster: Cluster) -> None:
        self.screen, self.cluster, self.namespace = screen, cluster, "exchange"
        self.installation = Installation(cluster, Names())
        self.misses = 0

    @property
    def operator_log(self) -> str:
        """Of all Pods of the release."""
        selector = "--selector=app.kubernetes.io/name=exchange-push-operator"
        return self.cluster.run_kubectl(
            "logs", selector, "--tail=-1", "--prefix", namespace=NAMESPACE, check=False
        ).stdout

    def write_secrets(self, outside: dict[str, Any]) -> None:
        """The Secrets of examples/pushconfig.yaml, with what the lab accepts."""
        self.cluster.create_namespace(self.namespace)
        folder, one = Path(outside["ca"]).parent, outside["exchange"][0]
        pair = {"tls.crt": folder / "client.crt", "tls.key": folder / "client.key"}
        content = {key: path.read_text("ascii") for key, path in pair.items()}
        self.account = {"username": one["username"], "password": one["password"]}
        secret = self.installation.secret
        self.installation.apply(
            secret("fabrikam-entra", content, "kubernetes.io/tls"),
            secret("fabrikam-exchange", self.account),
        )

    @contextlib.contextmanager
    def timed(self, what: str, at_most: float = 0.0) -> Iterator[None]:
        """Print how long it took; over the limit (seconds) it is a miss."""
        started = time.monotonic()
        yield
        self.figure(what, time.monotonic() - started, at_most)

    def figure(self, what: str, seconds: float, at_most: float = 0.0) -> None:
        """Print a figure; over its limit it is a miss."""
        limit = f" (at most {at_most:g} s)" if at_most else ""
        text = f"{what}: {seconds:.1f} s{limit}"
        if at_most and seconds > at_most:
            self.misses += 1
            self.screen.bad(f"MISSED: {text}")
        else:
            self.screen.good(text)

    def show(self, *words: str, namespace: str | None = None, only: str = "") -> str:
        """Run kubectl and print what it says; `only` picks lines that have one of these words."""
        where = namespace or self.namespace
        self.screen.command(f"kubectl -n {where} {' '.join(words)}")
        text = self.cluster.run_kubectl(*words, namespace=where).stdout
        wanted = only.split("|") if only else [""]
        picked = [line for line in text.splitlines() if any(word in line for word in wanted)]
        self.screen.output("\n".join(dict.fromkeys(line[:180] for line in picked)))
        return text

    def wait_shown(self, *words: str, text: str, namespace: str | None = None) -> None:
        """Wait until kubectl's output has this text in it."""
        where = namespace or self.namespace

        def seen() -> bool:
            shown = self.cluster.run_kubectl(*words, namespace=where).stdout
            assert text in shown, shown
            return True

        wait.until(seen, 90, f"{text!r} in kubectl {' '.join(words)}", interval=0.5)

    def last_words(self) -> str:
        """Resources and Pods, for people who wait in vain."""
        shown = [
            self.cluster.run_kubectl(*words, check=False).stdout
            for words in (("get", "pods,epc", "-A", "-o", "wide"), _WARNINGS)
        ]
        return "\n".join([*shown, *self.operator_log.splitlines()[-20:]])

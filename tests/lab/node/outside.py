"""The lab as the world outside of a cluster: each server at its own address, on its real ports.

`python -m lab.node.outside --folder DIR --servers 10.99.0.3,10.99.0.4 --microsoft 10.99.0.2`
prints the same JSON line as `lab.servers`, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

from lab.control_interface import ControlInterface
from lab.exchange.winrm import WinRMServer
from lab.network.ca import Showcase
from lab.servers import PORTS, LabServers, Shape


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.node.outside", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--servers", required=True, help="addresses, one for each server")
    parser.add_argument("--microsoft", required=True, help="the address of all of Microsoft 365")
    given = parser.parse_args()
    addresses = given.servers.split(",")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as closing:
        lab = LabServers(given.folder, Shape(len(addresses)))
        lab.start(closing)
        closing.enter_context(lab.web.also_at((given.microsoft, 443)))
        for service, address in zip(lab.services, addresses, strict=True):
            shown = Showcase(lab.ca, (service.server.fqdn,), given.folder)
            for scheme, port in PORTS.items():
                tls = shown if scheme == "https" else None
                closing.enter_context(WinRMServer(service, scheme, tls, (address, port)))
        control = closing.enter_context(ControlInterface(lab))
        names = [service.server.fqdn for service in lab.services]
        print(
            json.dumps({**lab.describe(), "names": names, "control": control.url}),
            flush=True,
        )
        stop.wait()


if __name__ == "__main__":
    main()

"""The operator as it is, but for the ports to Exchange and Microsoft 365.

First argument: the socket of lab.scale.outside; the others are the operator's own.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from exchange_push_operator import operate
from exchange_push_operator.__main__ import main as product
from exchange_push_operator.reconcile import World
from lab.scale.ports import Ports


def main() -> int:
    """As the console command."""
    ports, world = Ports(sys.argv[1]), operate.world_of

    def other(*given: Any) -> World:
        made = world(*given)
        return replace(made, exchange=ports.exchange, graph=ports.graph, metadata=ports)

    operate.world_of = other  # type: ignore[assignment] # the one place of all doors
    return product(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())

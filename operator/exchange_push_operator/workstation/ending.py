"""How a command ends that a person stops, or whose reader goes away. Never with a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

INTERRUPTED = 130
"""As shells show SIGINT."""
NOBODY_READS = 141
"""As shells show SIGPIPE."""


def ended(name: str, command: Callable[[], int]) -> int:
    """The exit code of a command that only looks, so that nothing is left half done."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may be beyond what the terminal can show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{name}: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` has seen enough. The interpreter flushes once more at its end, into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    return code

"""Many resources at once: what the operator itself takes, with an outside that takes no time."""

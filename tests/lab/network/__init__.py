"""The lab's network: a private CA, and look-ups that end on loopback ports."""

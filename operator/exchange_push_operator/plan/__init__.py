"""What the operator would change, looked at from a workstation and performed by nobody."""

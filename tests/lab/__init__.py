"""The lab: Kubernetes, an Exchange organisation and a tenant that run on a developer's machine."""

"""The only modules that import a client library; each maps its errors once."""

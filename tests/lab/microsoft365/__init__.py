"""The Microsoft 365 half of the lab: Entra ID, Graph, ACS and the push endpoint."""

from lab.microsoft365.http import ConnectionCut, HttpRequest, HttpResponse
from lab.microsoft365.world import Microsoft365

__all__ = ["ConnectionCut", "HttpRequest", "HttpResponse", "Microsoft365"]

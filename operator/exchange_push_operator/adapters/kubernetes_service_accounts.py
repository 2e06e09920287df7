"""The ServiceAccounts port: tokens by TokenRequest, from the Kubernetes API."""

from __future__ import annotations

from typing import Any

from exchange_push_operator.adapters.kubernetes_api import Invalid, KubernetesApi
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.reasons import Reason

_SECONDS = 600  # the shortest that Kubernetes gives; a sign-in needs a few of them


class KubernetesServiceAccounts:
    """Fills the port ``ServiceAccounts``."""

    def __init__(self, api: KubernetesApi) -> None:
        """Talk through ``api``. Safe in threads."""
        self._api = api

    def token(self, namespace: str, name: str, audience: str) -> str:
        """A new token of the account. It stays good for its ten minutes, whatever happens.

        Raises:
            Refused: ServiceAccountNotFound; AccessDenied where RBAC does not allow it, or the
                API server makes no such token.
            Unreachable: no answer, or none that can be used.
            Throttled: as every call.
        """
        account = f"service account {namespace}/{name}"
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        try:
            answer = self._api.call("POST", path, _request(audience))
        except Refused as error:
            message = (
                f"{account}: the operator may not ask for its token; add it to serviceAccounts of "
                "the chart's policy, or grant create on serviceaccounts/token"
            )
            raise Refused(Reason.ACCESS_DENIED, message) from error
        except Invalid as error:
            message = f"{account}: the API server makes no token for {audience}: {error}"
            raise Refused(Reason.ACCESS_DENIED, message) from error
        if answer is None:
            message = f"{account} does not exist; create it, or correct its name in spec"
            raise Refused(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)
        return _token(answer, account)


def _request(audience: str) -> dict[str, Any]:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": _SECONDS},
    }


def _token(answer: Any, account: str) -> str:
    try:
        token = answer["status"]["token"]
    except (KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        message = f"{account}: the API server's answer holds no token"
        raise Unreachable(message)
    return token

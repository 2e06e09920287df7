"""The control interface of a running lab, for tests, demo and figures."""

from __future__ import annotations

from typing import Any

import requests


class ControlRefusedError(AssertionError):
    """The lab did not do it; the text is its answer."""


class Control:
    """``control.get("/state")``, ``control.post("/reset")``, and the frequent ones by name."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def get(self, path: str) -> Any:
        return self._answer(self._session.get(self.url + path, timeout=30))

    def post(self, path: str, **body: Any) -> Any:
        return self._answer(self._session.post(self.url + path, json=body, timeout=30))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/state")
        return found

    def counters(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/counters")
        return found

    def fault(self, name: str, value: Any, target: str = "exchange") -> None:
        self.post("/faults", target=target, name=name, value=value)

    def cmdlet(self, cmdlet: str, /, server: str = "", **parameters: Any) -> Any:
        return self.post("/cmdlet", server=server or None, cmdlet=cmdlet, parameters=parameters)

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if response.status_code != requests.codes.ok:
            message = f"the lab answered {response.status_code}: {response.text.strip()}"
            raise ControlRefusedError(message)
        return response.json()

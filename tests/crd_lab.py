"""The CRD in a real API server, with a namespace that is emptied afterwards; and the example."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parent.parent
CRD = ROOT / "crds" / "exchangepushconfigs.yaml"
EXAMPLES = ROOT / "examples"
EXAMPLE: dict[str, Any] = yaml.safe_load((EXAMPLES / "pushconfig.yaml").read_text())


@contextmanager
def installed_crd(control_plane: ControlPlane, namespace: str) -> Iterator[ControlPlane]:
    run = control_plane.run_kubectl
    run("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    control_plane.wait_until_established("exchangepushconfigs.exchangepush.dev")
    control_plane.create_namespace(namespace)
    yield control_plane
    run("delete", "exchangepushconfigs,secrets", "--all", "--wait=false", namespace=namespace)

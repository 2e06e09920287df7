"""Do tag, package, and chart agree? `release_version.py v1.2.3` exits with 1 where they do not."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    tag = sys.argv[1]
    found = {"the tag": tag.removeprefix("v"), **versions(ROOT)}
    if len(set(found.values())) > 1:
        sys.exit("release: " + ", ".join(f"{name} says {one}" for name, one in found.items()))
    print(f"release: {tag}")


def versions(root: Path) -> dict[str, str]:
    """What names the version of the next release."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    chart = (root / "helm" / project["name"] / "Chart.yaml").read_text("utf-8")
    fields = dict(re.findall(r'^(version|appVersion): "?([^"\s]+)"?$', chart, re.M))
    charts = {f"Chart.yaml's {name}": version for name, version in fields.items()}
    return {"pyproject.toml": project["version"], **charts}


if __name__ == "__main__":
    main()

"""Writes the objects anew: `PYTHONPATH=tests .venv/bin/python -m lab.situations`."""

from lab.situations import OBJECTS, SITUATIONS, record


def main() -> None:
    OBJECTS.mkdir(exist_ok=True)
    for path in OBJECTS.glob("*.json"):
        path.unlink()
    for situation in SITUATIONS:
        path = OBJECTS / f"{situation.name}.json"
        path.write_text(record(situation), "utf-8")
        print(path)


if __name__ == "__main__":
    main()

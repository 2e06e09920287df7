"""Gather what the image runs, in the build stage of the Dockerfile: `image_root.py FOLDER`.

That is Debian's interpreter and its library, the operator's environment, and every shared library
that these load. Each Debian package that a file comes from gets its licence and its entry in
`/var/lib/dpkg/status.d`, so that scanners and SBOMs see it: the way of the distroless images.
Standard library only.
"""

import compileall
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

OPERATOR = Path("/opt/operator")
LIBRARY = Path(sysconfig.get_path("stdlib"))
INTERPRETER = Path(sys.executable).resolve()
PLUGINS = Path("/usr/lib", sysconfig.get_config_var("MULTIARCH"), "krb5")
# What a running operator never imports: 30 MB.
LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", "config-3*", "ensurepip", "idlelib", "pydoc_data", "site*custom*", "test"),
    *("tkinter", "turtledemo", "venv", "*.a"),
)
# The client's other half, for asyncio: nobody imports it, and it is a quarter of the image.
UNUSED = "lib/python3*/site-packages/kubernetes/aio"
OF_THE_BASE = "libc6"  # the loader and the C library go together: both are the base's


def main() -> None:
    root = Path(sys.argv[1])
    for tree in (LIBRARY, OPERATOR, PLUGINS):
        if tree.exists():
            shutil.copytree(tree, under(root, tree), symlinks=True, ignore=LEFT_OUT)
    for folder in under(root, OPERATOR).glob(UNUSED):
        shutil.rmtree(folder)
    for tree in (LIBRARY, OPERATOR):
        # By hash and unchecked: a layer may change the times of files, and nobody edits them.
        compileall.compile_dir(
            under(root, tree),
            quiet=1,
            stripdir=root,
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
    copy(root, INTERPRETER)
    under(root, INTERPRETER.with_name("python3")).symlink_to(INTERPRETER.name)
    found = set(shared_libraries(root))
    for library in found:
        copy(root, library)
    describe_packages(root, {INTERPRETER, LIBRARY / "os.py", LIBRARY / "json", *found})


def under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def copy(root: Path, path: Path) -> None:
    target = under(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def shared_libraries(root: Path) -> Iterator[Path]:
    """What the loader would load for any program or extension of the image, but the base's."""
    own = set(files_of(OF_THE_BASE))
    programs = [INTERPRETER, *(Path("/", p.relative_to(root)) for p in root.rglob("*.so*"))]
    for program in programs:
        for line in output("ldd", str(program)).splitlines():
            if "not found" in line:
                sys.exit(f"{program}: {line.strip()}")
            place = line.partition("=> ")[2].partition(" (")[0]
            path = Path(place).parent.resolve() / Path(place).name
            if place and OPERATOR not in path.parents and path not in own:
                yield path


def files_of(package: str) -> Iterator[Path]:
    for line in output("dpkg-query", "-L", package).splitlines():
        yield Path(line).parent.resolve() / Path(line).name


def describe_packages(root: Path, files: Iterable[Path]) -> None:
    """Name each package that a file is of, as the distroless bases do."""
    owners = output("dpkg-query", "-S", *sorted({str(file.resolve()) for file in files}))
    for package in sorted({line.split(":")[0] for line in owners.splitlines()}):
        entry = root / "var/lib/dpkg/status.d" / package
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(output("dpkg-query", "-s", package), encoding="utf-8")
        licence = Path("/usr/share/doc", package, "copyright")
        if licence.exists():
            copy(root, licence.parent.resolve() / licence.name)


def output(*command: str) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()

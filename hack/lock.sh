#!/bin/sh
# Compile the locks: versions and hashes, and no index host, so that they work behind any mirror.
set -eu
python=$1
shift
tools=${TMPDIR:-/tmp}/exchange-push-operator-lock.$$
trap 'rm -rf "$tools"' EXIT
echo "lock: installing the pinned uv" >&2
"$python" -m venv "$tools"
"$tools/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements/tools.txt

export UV_CUSTOM_COMPILE_COMMAND="make lock"
compile() {
    out=requirements/$1.txt
    shift
    echo "lock: $out" >&2
    "$tools/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-emit-index-url --no-emit-find-links -o "$out" "$@"
}
# What the operator runs with decides; the others follow it.
compile run pyproject.toml "$@"
compile kerberos pyproject.toml -c requirements/run.txt --extra kerberos "$@"
compile dev pyproject.toml -c requirements/run.txt --group dev "$@"
compile foreign -c requirements/dev.txt --group foreign "$@"
compile docs -c requirements/dev.txt --group docs "$@"
compile image --group image "$@"
compile go --group go "$@"
compile scan --group scan "$@"
compile tools --group tools "$@"

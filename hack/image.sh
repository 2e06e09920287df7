#!/bin/sh
# Build the image with the engine that is there.
set -eu
image=$1
base=${2:-}
for engine in docker podman buildah; do
    command -v "$engine" >/dev/null 2>&1 && break
    engine=
done
if [ -z "$engine" ]; then
    echo "no docker, podman or buildah found: install one of them, then run make image again" >&2
    exit 1
fi
set -- build -t "$image"
[ -z "$base" ] || set -- "$@" --build-arg "BASE=$base"
echo "image: building $image with $engine" >&2
exec "$engine" "$@" .

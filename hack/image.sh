#!/bin/sh
# Build the image with the engine that is there: image.sh IMAGE BUILD_BASE BASE FILE
# BASE `stand-in` makes both bases here; FILE, if it is given, gets the image as an archive.
set -eu
image=$1 build_base=${2:-} base=${3:-} file=${4:-}

# A docker without its daemon is no engine.
works() { command -v "$1" >/dev/null 2>&1 && "$1" info >/dev/null 2>&1; }
engine=
if [ "$base" = stand-in ]; then
    candidates=buildah
else
    candidates='docker podman buildah'
fi
if [ "$(id -u)" = 0 ]; then
    # In a container neither user namespaces nor overlay mounts can be counted on.
    export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}" STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}"
fi
for candidate in $candidates; do
    if works "$candidate"; then engine=$candidate; break; fi
done
if [ -z "$engine" ]; then
    echo "no working docker, podman or buildah found: install one of them (apt-get install buildah), then run make image again" >&2
    exit 1
fi
if [ "$base" = stand-in ]; then
    sh hack/stand_in_bases.sh
    build_base=localhost/stand-in-build base=localhost/stand-in
fi
set -- build -t "$image" \
    --build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
[ -z "$build_base" ] || set -- "$@" --build-arg "BUILD_BASE=$build_base"
[ -z "$base" ] || set -- "$@" --build-arg "BASE=$base"
[ "$engine" != buildah ] || set -- "$@" --layers
echo "image: building $image with $engine" >&2
"$engine" "$@" .
[ -n "$file" ] || exit 0
mkdir -p "$(dirname "$file")"
rm -f "$file"
case $engine in
buildah) buildah push -q "$image" "docker-archive:$file:$image" ;;
*) "$engine" save -o "$file" "$image" ;;
esac

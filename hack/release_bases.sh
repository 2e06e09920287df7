#!/bin/sh
# The Dockerfile's base images with their digests of today, as outputs of a workflow's step.
set -eu
pinned() {
    name=$(sed -n "s/^ARG $1=//p" Dockerfile)
    digest=$(docker buildx imagetools inspect "$name" --format '{{.Manifest.Digest}}')
    case $digest in
    sha256:*) echo "$2=$name@$digest" ;;
    *) echo "release: no digest of $name, but: $digest" >&2; exit 1 ;;
    esac
}
pinned BUILD_BASE build
pinned BASE run

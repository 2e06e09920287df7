#!/bin/sh
# Build and push the image of one PLATFORM from pinned bases, with SBOM and provenance inside its index.
# Its tag is this run's; hack/release_publish.sh makes one image of all.
set -eu
image=$(echo "$IMAGE" | tr '[:upper:]' '[:lower:]')
case $BUILD_BASE$BASE in
*@sha256:*@sha256:*) ;;
*) echo "release: bases without a digest: $BUILD_BASE, $BASE" >&2; exit 1 ;;
esac
docker buildx create --use --driver docker-container
docker buildx build --push --platform "$PLATFORM" --sbom=true --provenance=mode=max \
    --build-arg "BUILD_BASE=$BUILD_BASE" --build-arg "BASE=$BASE" \
    --build-arg "VERSION=${GITHUB_REF_NAME#v}" --build-arg "REVISION=$GITHUB_SHA" \
    --label "org.opencontainers.image.source=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" \
    --label "org.opencontainers.image.base.name=${BASE%@*}" \
    --label "org.opencontainers.image.base.digest=${BASE#*@}" \
    --tag "$image:build-$GITHUB_RUN_ID-${PLATFORM#*/}" .

#!/bin/sh
# One image of both architectures, then the chart that names it by digest; both signed by digest.
set -eu
PATH=$(go env GOPATH)/bin:$PATH # cosign
image=$(echo "$IMAGE" | tr '[:upper:]' '[:lower:]')
version=${GITHUB_REF_NAME#v}
built=$image:build-$GITHUB_RUN_ID
docker buildx imagetools create --tag "$image:$version" "$built-amd64" "$built-arm64"
digest=$(docker buildx imagetools inspect "$image:$version" --format '{{.Manifest.Digest}}')
cosign sign --yes --recursive "$image@$digest"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R helm/exchange-push-operator "$work/chart"
sed -i.before -e "s|^  repository: .*|  repository: $image|" -e "s|^  digest: .*|  digest: $digest|" \
    "$work/chart/values.yaml"
sed -i.before -e "s|^      image: .*|      image: $image@$digest|" "$work/chart/Chart.yaml"
rm "$work/chart/values.yaml.before" "$work/chart/Chart.yaml.before"
grep -q "^  digest: sha256:" "$work/chart/values.yaml" ||
    { echo "release: the chart does not name the image's digest" >&2; exit 1; }
helm package "$work/chart" --destination "$work"
charts=${image%/*}/charts
pushed=$(helm push "$work/exchange-push-operator-$version.tgz" "oci://$charts" 2>&1)
echo "$pushed"
chart=$(echo "$pushed" | sed -n 's/^Digest: //p')
cosign sign --yes "$charts/exchange-push-operator@$chart"

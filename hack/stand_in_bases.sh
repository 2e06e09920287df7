#!/bin/sh
# Where no image can be pulled: make both base images of the Dockerfile from Debian's own packages,
# as root, with debootstrap and buildah. `localhost/stand-in-build` is a minimal Debian 13;
# `localhost/stand-in` has the packages of distroless' cc-debian13 and nothing else: no shell.
# They take this machine's pip.conf and authorities, so never publish what is built on them.
set -eu
for tool in debootstrap buildah; do
    command -v "$tool" >/dev/null 2>&1 ||
        { echo "stand-in bases need $tool: apt-get install $tool" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "stand-in bases need root (debootstrap)" >&2; exit 1; }
if buildah inspect --type image localhost/stand-in >/dev/null 2>&1 && [ "${1:-}" != --again ]; then
    echo "image: stand-in bases are there already" >&2
    exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
echo "image: making stand-in bases with debootstrap (about a minute)" >&2
packages=base-files,ca-certificates,gcc-14-base,libc6,libgcc-s1,libgomp1,libssl3t64,libstdc++6
packages=$packages,libzstd1,media-types,netbase,tzdata,zlib1g
debootstrap --variant=minbase --include="$packages" trixie "$work/build" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }

mkdir "$work/base"
chroot "$work/build" dpkg-query -L $(echo "$packages" | tr , ' ') | sort -u >"$work/files"
(cd "$work/build" && sed 's,^/,./,' "$work/files" | tar -c --no-recursion -T -) |
    tar -x -C "$work/base"
for machine in build base; do
    cp /etc/ssl/certs/ca-certificates.crt "$work/$machine/etc/ssl/certs/"
done
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$work/build/etc/"
mkdir -p "$work/base/home/nonroot" "$work/base/tmp"
chmod 1777 "$work/base/tmp"
echo 'root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$work/base/etc/passwd"
echo 'root:x:0:
nonroot:x:65532:' >"$work/base/etc/group"

commit() {
    container=$(buildah from scratch)
    buildah copy -q "$container" "$work/$1" / >/dev/null
    buildah commit -q --rm "$container" "localhost/$2" >/dev/null
}
commit build stand-in-build
commit base stand-in

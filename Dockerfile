# The build stage compiles what has no wheel (Kerberos) and gathers what runs: the interpreter, its
# library, the operator, the shared libraries of all three. The image is that on a base without a shell
# and without a package manager. Both bases are Debian 13: libraries of the one run on the C library of
# the other. The release workflow pins both by digest.
ARG BUILD_BASE=debian:13-slim
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILD_BASE} AS build
# Versions are Debian's of the day: a pinned one is gone with the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      gcc libc6-dev libkrb5-dev python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/image.txt requirements/kerberos.txt requirements/
# The build tools come from a lock too, so nothing is fetched that is not pinned by hash.
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes -r requirements/image.txt \
 && CFLAGS=-g0 /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --require-hashes \
      -r requirements/kerberos.txt -w /wheels
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY hack/image_root.py hack/image_root.py
RUN PATH=/build/bin:$PATH pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels . \
 && python3 -m venv --without-pip /opt/operator \
 && /build/bin/pip --python /opt/operator/bin/python install --no-index --no-deps --no-compile \
      /wheels/*.whl \
 && /usr/bin/python3 hack/image_root.py /image

# hadolint ignore=DL3006
FROM ${BASE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="exchange-push-operator" \
      org.opencontainers.image.description="Kubernetes operator that keeps push-notification proxying between on-premises Exchange and Microsoft 365 configured" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
ENV PATH=/opt/operator/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
# Does it run on this base, with Kerberos? Without a shell a command is a list, so there are two.
RUN ["exchange-push-operator", "--version"]
# hadolint ignore=DL3059
RUN ["python", "-c", "import gssapi, krb5, ssl; krb5.init_context()"]
ENTRYPOINT ["exchange-push-operator"]
CMD ["run"]

# Two stages: the first compiles what has no wheel (Kerberos), the second runs.
#
# Pin the base by digest where you build for production:
#   docker build --build-arg BASE=python:3.13-slim@sha256:<digest of the image you have checked> .
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev libkrb5-dev python3-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
# The build tools come from a lock too, so nothing is fetched that is not pinned by hash.
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir --require-hashes -r requirements/image.txt \
 && /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --require-hashes \
      -r requirements/kerberos.txt -w /wheels
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN PATH=/build/bin:$PATH pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels . \
 && python3 -m venv --without-pip /opt/operator \
 && /build/bin/pip --python /opt/operator/bin/python install --no-index --no-deps /wheels/*.whl \
 && /opt/operator/bin/exchange-push-operator --version \
 && /opt/operator/bin/python -c 'import gssapi, krb5'

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libgssapi-krb5-2 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/operator /opt/operator
ENV PATH=/opt/operator/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["exchange-push-operator"]
CMD ["run"]

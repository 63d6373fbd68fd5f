# The image of both processes, and of the commands of an operator:
#
#     docker build --tag gene-job-statistics .
#     docker run gene-job-statistics                                    # the API
#     docker run gene-job-statistics gene-statistics-consumer           # a consumer
#     docker run gene-job-statistics gene-statistics-consumer verify    # a command
#
# Packages come from where pip finds them. An index, or a CA, of your own is told in files that stay out of the image:
#
#     docker build --secret id=pip,src=pip.conf --secret id=ca,src=ca.pem .    # in pip.conf: cert = /run/secrets/ca.pem

# Any image with a Python of 3.11 to 3.14, and its venv.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/venv
COPY deploy/image/build-requirements.txt deploy/image/requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    tools/bin/pip install --require-hashes --requirement build-requirements.txt \
    && tools/bin/pip --python /opt/venv/bin/python install --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY gene_statistics gene_statistics
COPY service service
COPY consumers consumers
RUN tools/bin/python -m hatchling build --target wheel \
    && tools/bin/pip --python /opt/venv/bin/python install --no-index --no-deps dist/*.whl

FROM ${BASE}
ARG BASE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gene-job-statistics" \
      org.opencontainers.image.description="Exact, incremental statistics of gene jobs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /opt/venv /opt/venv
# Nothing is written: the root file system may be read-only. The API listens for those outside of the container.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    STATS_HTTP_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-m", "service.runtime.probe"]
CMD ["gene-statistics-api"]

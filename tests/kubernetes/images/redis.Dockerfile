# Redis as Debian has it.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
USER 10001
ENTRYPOINT ["redis-server"]

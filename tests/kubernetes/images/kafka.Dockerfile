# A Java. Kafka's jars come from the machine: the pod mounts them.
ARG BASE
FROM ${BASE}
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-21-jre-headless && rm -rf /var/lib/apt/lists/*
USER 10001
ENTRYPOINT ["java"]

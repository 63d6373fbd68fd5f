# The servers of compose.yaml from the distribution's packages, as far as compose.yaml asks for what the public images have.
ARG BASE
FROM ${BASE} AS redis
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends redis-server \
    && install -d -o redis -g redis /data
WORKDIR /data
VOLUME /data

FROM ${BASE} AS prometheus
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends prometheus \
    && install -d -o nobody -g nogroup /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]

# Kafka's jars have what makes KAFKA_... variables a file of properties.
FROM ${BASE} AS kafka
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends openjdk-21-jre-headless
COPY . /opt/kafka/libs
RUN useradd --uid 1000 appuser \
    && install -d -o appuser /var/lib/kafka/data /opt/kafka/config /opt/kafka/bin /mnt/shared/config /etc/kafka/docker \
    && for name in server.properties log4j2.yaml tools-log4j2.yaml; do touch /etc/kafka/docker/$name; done \
    && printf '#!/bin/bash\nexec java $KAFKA_HEAP_OPTS -XX:TieredStopAtLevel=1 -cp "/opt/kafka/libs/*" "$@"\n' >/opt/kafka/bin/java \
    && printf '#!/bin/bash\nset -e\ncd /opt/kafka\nexport CLUSTER_ID=5L6g3nShT-eMCtK--X86sw\nbin/java kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config\nexec bin/java kafka.Kafka config/server.properties\n' >/opt/kafka/bin/run \
    && chmod +x /opt/kafka/bin/*
USER appuser
CMD ["/opt/kafka/bin/run"]

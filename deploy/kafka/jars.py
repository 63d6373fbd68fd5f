"""Finds the parts of Apache Kafka: a Java that is installed, and the jars that Maven resolves once."""

from dataclasses import dataclass
from pathlib import Path

from deploy.maven import find_jars, find_java

_POM = Path(__file__).parent / "pom.xml"
_KAFKA = "Apache Kafka"


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """Holds the paths of a Java and of the folder with Kafka's jars."""

    java: str
    jars: Path


def find_kafka(folder: Path) -> KafkaProgram:
    """Returns Kafka's program; resolves its jars into `folder` the first time, and waits for that.

    Raises MissingPartError.
    """
    java = find_java(_KAFKA)
    return KafkaProgram(java, find_jars(_POM, folder, _KAFKA))

"""Apache Kafka with a listener for logins and one for client certificates, and rights that a test grants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from deploy.kafka.jars import KafkaProgram
from deploy.kafka.server import KafkaNode, KafkaServers
from deploy.local.servers import free_port
from tests.certificates import Authority

USER, PASSWORD = "stats", "s3cr3t"
RESOURCES = {"topic": 2, "group": 3}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
_LITERAL, _ALLOW = 3, 3

_PROPERTIES = """
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{admin},TLS://localhost:{tls},LOGIN://localhost:{login},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{admin},TLS://localhost:{tls},LOGIN://localhost:{login}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={cafile}
ssl.principal.mapping.rules=RULE:^CN=([^,]*).*$/$1/,DEFAULT
listener.name.tls.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
 user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"""


@dataclass(frozen=True)
class SecuredKafka:
    """The broker. Who comes without TLS to `admin` may do everything; who comes another way is the user `stats`."""

    servers: KafkaServers
    login: str
    tls: str
    authority: Authority

    @property
    def admin(self) -> str:
        """The address for administration."""
        return self.servers.bootstrap

    def login_settings(self) -> dict[str, str]:
        """The settings of a client that logs in."""
        return {
            "kafka_bootstrap_servers": self.login,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": USER,
            "kafka_sasl_password": PASSWORD,
            "kafka_ssl_cafile": str(self.authority.cafile),
        }

    def certificate_settings(self) -> dict[str, str]:
        """The settings of a client that shows a certificate."""
        ours = self.authority.issue("client.example", common_name=USER)
        return {
            "kafka_bootstrap_servers": self.tls,
            "kafka_security_protocol": "SSL",
            "kafka_ssl_cafile": str(self.authority.cafile),
            "kafka_ssl_certfile": str(ours.certfile),
            "kafka_ssl_keyfile": str(ours.keyfile),
        }

    async def grant(self, operation: str, resource: str, name: str) -> None:
        """Lets the user do this with a topic or a group."""
        await self._send(CreateAclsRequest(*_acl(operation, resource, name)))

    async def withdraw(self, operation: str, resource: str, name: str) -> None:
        """Undoes a grant."""
        await self._send(DeleteAclsRequest(*_acl(operation, resource, name)))

    async def _send(self, request: object) -> None:
        client = AIOKafkaClient(bootstrap_servers=self.admin)
        try:
            await client.bootstrap()
            response = (await client.send(1, request)).to_object()
            results = response.get("creation_responses") or response["filter_responses"]
            assert not any(each["error_code"] for each in results)
        finally:
            await client.close()


def _acl(operation: str, resource: str, name: str) -> tuple[int, str, int, str, str, int, int]:
    return RESOURCES[resource], name, _LITERAL, f"User:{USER}", "*", OPERATIONS[operation], _ALLOW


@asynccontextmanager
async def running_secured_kafka(program: KafkaProgram, folder: Path) -> AsyncIterator[SecuredKafka]:
    """Starts the broker, and ends it with the block."""
    authority = Authority(folder / "certificates")
    server = authority.issue("localhost")
    ports = {name: free_port() for name in ("admin", "tls", "login", "controller")}
    properties = _PROPERTIES.format(
        **ports, keystore=server.both, cafile=authority.cafile, user=USER, password=PASSWORD
    )
    node = KafkaNode(program, folder / "kafka", properties, ports["admin"])
    node.format()
    node.start()
    servers = KafkaServers([node])
    try:
        await servers.wait_ready()
        yield SecuredKafka(servers, f"localhost:{ports['login']}", f"localhost:{ports['tls']}", authority)
    finally:
        servers.end()

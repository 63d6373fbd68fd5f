"""All data of a shard is lost: its slots go to other primaries, as docs/operating.md says, and all counts again."""

import asyncio
import shutil
import subprocess
from functools import partial
from pathlib import Path

from deploy.local.process import wait_until
from service.store.layout.keys import head_key
from service.store.redis.client import create_writer_client
from service.store.write.writer import StoreWriter
from tests.cluster.test_reads import filled
from tests.conftest import require_part
from tests.redis_cluster import ClusterNode, ThreePrimaries
from tests.servers import redis_program


async def test_slots_of_a_lost_shard_are_given_away(tmp_path: Path) -> None:
    """redis-cli asks before it does so. The stripes are empty then, and those of other shards are as they were."""
    require_part(shutil.which("redis-cli") is not None, "redis-cli")
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = await asyncio.to_thread(ThreePrimaries, redis_program(), folder)
    try:
        async with filled(cluster) as store:
            before = {stripe for stripe, head in enumerate(await store.writer.read_heads()) if head.progress}
        asked, lost = cluster.nodes[0], next(node for node in cluster.primaries if str(node.port) not in cluster.url)
        gone = {stripe for stripe in before if cluster.owner_of_key(head_key(stripe)) is lost}
        assert gone
        shard = cluster.shard_of(lost)
        for node in shard:
            node.kill()
        await asyncio.to_thread(wait_until, asked.child, lambda: "fail" in _flags(asked, lost), "see that it is away")
        await asyncio.to_thread(_give_slots_away, asked.port)
        for node in {*cluster.nodes}.difference(shard):
            await asyncio.to_thread(wait_until, node.child, partial(_knows_all, node), "know who has the slots")
        client = create_writer_client(cluster.url, cluster=True)
        after = {stripe for stripe, head in enumerate(await StoreWriter(client).read_heads()) if head.progress}
        await client.aclose()
        assert after == before - gone
    finally:
        await asyncio.to_thread(cluster.stop)


def _flags(asked: ClusterNode, other: ClusterNode) -> str:
    nodes: str = asked.ask("NODES")
    return next(line.split()[2] for line in nodes.splitlines() if f":{other.port}@" in line)


def _knows_all(node: ClusterNode) -> bool:
    return "cluster_slots_ok:16384" in node.ask("INFO")


def _give_slots_away(port: int) -> None:
    command = ["redis-cli", "--cluster", "fix", f"127.0.0.1:{port}", "--cluster-fix-with-unreachable-masters"]
    done = subprocess.run(command, input="yes\n", capture_output=True, text=True, check=False)  # noqa: S603 - a tool
    assert "[OK] All 16384 slots covered" in done.stdout or done.returncode == 0, done.stdout[-2_000:] + done.stderr

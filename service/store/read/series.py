"""Reads series: the statistics of consecutive intervals of start times, all from one atomic view."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Live
from service.store.layout.keys import project_prefix
from service.store.read.bodies import Bodies, Doubts
from service.store.read.cover import Cover, cover
from service.store.read.known import Known
from service.store.read.learning import Learning
from service.store.read.node_checks import check_nodes
from service.store.read.sums import Summing, Users
from service.store.read.view import Asked, View

_ATTEMPTS = 20


class SeriesReader:
    """Makes series for a reader, which has the connection and the memories."""

    def __init__(
        self,
        look: Callable[[str, Known, Asked], Awaitable[View]],
        live: Callable[[str], Live],
        learning: Learning,
        bodies: Bodies,
    ) -> None:
        self._look = look
        self._live = live
        self._learning = learning
        self._bodies = bodies

    async def read(
        self, project_id: str, known: Known, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> tuple[View, list[list[int]]]:
        """Returns a view, and for each interval its jobs by status and the bytes of input."""
        doubts = Doubts()
        for _ in range(_ATTEMPTS):
            shape, live = known.shape, self._live(project_id)
            intervals = [range(max(start, live.horizon_ms), end) for start, end in pairwise(borders_ms)]
            covers = [cover(shape.shape, each.start, each.stop) for each in intervals]
            asked = [
                *(run for each in covers for run in (*each.added, *each.taken)),
                *((cut.node[0], cut.node[1:]) for each in covers for cut in each.cuts),
            ]
            nodes = Cover(asked)
            wants_namings = known.wants_namings
            view = await self._look(
                project_id, known, Asked(live.generation, range(0), nodes, wants_namings=wants_namings)
            )
            if view.look.head.live != live:
                continue
            if view.meta is None:
                if await self._bodies.is_nothing(project_id, view, doubts):
                    return view, [[0] * 7 for _ in intervals]
                continue
            if view.meta.shape_id != shape.shape_id:
                known.shape = await self._learning.shape(project_id, live.generation)
                continue
            check_nodes(project_prefix(project_id, live.generation), shape.shape, nodes, view.nodes)
            names = await self._bodies.names(project_id, known, view, view.meta, doubts)
            if names is None:
                continue
            users = Users(names.keys)
            positions = [
                at
                for at, each in enumerate(names.names)
                if user_id in (None, each.user_id) and user_name in (None, each.name)
            ]
            return view, [
                _sums(users, positions, *each) for each in zip(covers, intervals, _shares(covers, view), strict=True)
            ]
        raise StoreUnavailableError(f"project {project_id} changed under each of its reads", "changed")


def _shares(covers: list[Cover], view: View) -> list[tuple[list[bytes | None], list[bytes | None]]]:
    whole = [sum(len(indexes) for _, indexes in (*each.added, *each.taken)) for each in covers]
    at, cut_at, shares = 0, sum(whole), []
    for each, count in zip(covers, whole, strict=True):
        shares.append((view.nodes[at : at + count], view.nodes[cut_at : cut_at + len(each.cuts)]))
        at, cut_at = at + count, cut_at + len(each.cuts)
    return shares


def _sums(
    users: Users,
    positions: list[int],
    nodes: Cover,
    interval: range,
    share: tuple[list[bytes | None], list[bytes | None]],
) -> list[int]:
    summing, added = Summing(users, None), sum(len(indexes) for _, indexes in nodes.added)
    summing.add(share[0][:added], 1)
    summing.add(share[0][added:], -1)
    if nodes.cuts:
        summing.add_parts(nodes.cuts, share[1], interval)
    sums = summing.result()
    return [*sums.counts[positions].sum(axis=0).tolist(), sum(sums.size_bytes[positions].tolist())]

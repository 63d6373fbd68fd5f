"""What a question asks for, chosen by what a reader knows of its project. Pure, no I/O."""

from typing import NamedTuple

from service.store.layout.heads import Live
from service.store.layout.keys import project_prefix
from service.store.read.answer_cache import Question
from service.store.read.cover import cover
from service.store.read.known import Known, KnownShape
from service.store.read.node_checks import check_nodes
from service.store.read.view import Asked, View, node_keys


class Plan(NamedTuple):
    """What a look asks for, and the shape, the generation and the horizon that it was chosen by."""

    shape: KnownShape
    live: Live
    asked: Asked

    @classmethod
    def of(cls, question: Question, known: Known, live: Live) -> "Plan":
        """Chooses the nodes for a question."""
        shape, interval = known.shape, range(max(question.start_ms, live.horizon_ms), question.end_ms)
        nodes = cover(shape.shape, interval.start, interval.stop)
        keys = node_keys(project_prefix(question.project_id, live.generation), nodes)
        wants_namings = question.user_id is None and known.wants_namings
        return cls(shape, live, Asked(live.generation, interval, nodes, keys, wants_namings))

    def check(self, project_id: str, view: View) -> None:
        """Raises DamagedError for a view whose nodes are not as the shape says."""
        prefix = project_prefix(project_id, self.live.generation)
        check_nodes(prefix, self.shape.shape, self.asked.cover, view.nodes)

"""Lists the protections of the product that `--without` can take out."""

from collections.abc import Mapping, Sequence

Change = tuple[str, str, str]
"""Where a piece of the product's text is (a function or a Script, as "module:name"), the piece, what comes for it."""

_APPLY, _CLAIM = "service.store.write.writer:_APPLY", "service.store.write.writer:_TAKE_DOWN"
_FETCH = "consumers.kafka.aiokafka_private:_Fetcher._proc_fetch_request"
_SYNCHRONIZE = "consumers.ingest.worker:Worker._synchronize"
_MARKING = "for _, plan in ipairs(plans) do mark(plan.prefix, plan.old_meta, plan.hashes) end"

PROTECTIONS: Mapping[str, Sequence[Change]] = {
    # a writer whose offsets are not the store's is taken all the same
    "fence": [(_APPLY, "if stored ~= expected then return false end", "")],
    # a writer writes a generation that is not the live one
    "generation": [(_APPLY, "if generation ~= GENERATION then return false end", "")],
    # a claim is written to stripes whose heads have moved
    "claim": [(_CLAIM, "if is_ours and sub(head, MOVED_AT, MOVED_AT + 7)", "if is_ours or sub(head, MOVED_AT, 8)")],
    # a write that ends in part leaves no mark
    "mark": [(_APPLY, _MARKING, "")],
    # the API answers of a project with a mark
    "mark-reader": [("service.store.read.view:read_view", "meta.unfinished_hashes", "False")],
    # a batch is written to a project with a mark, and takes the mark away
    "mark-writer": [(_APPLY, "  check_mark(unfinished)\n", "")],
    # the append-only file is not written anew before scripts are loaded
    "gate": [("service.store.redis.gate:_make_log_whole", 'info.get("aof_enabled") == "1"', "False")],
    # offsets move before the events are written
    "write-order": [
        (_APPLY, _MARKING, f"{_MARKING}\nwrite_head(new_head)"),
        (_APPLY, "write_head(new_head)\nreturn {'ok'", "return {'ok'"),
    ],
    # reading goes on from the offset of the stripe that is the furthest, and not the least far
    "least-offset": [
        (
            "consumers.offsets.stripe_offsets:StripeOffsets.__init__",
            "self.positions = {p: min(",
            "self.positions = {p: max(",
        )
    ],
    # dead letters are written after the offsets have moved past them
    "letter-order": [
        ("consumers.ingest.applier:Applier.apply", "        await self._send(letters)\n", "        pass\n"),
        (
            "consumers.ingest.applier:Applier.apply",
            "    if refused:\n",
            "    await self._send(letters)\n    if refused:\n",
        ),
    ],
    # an older event replaces a newer one
    "version-order": [(_APPLY, "newer = is_newer(record, old)", "newer = true")],
    # of events of equal version the one that comes last counts
    "rival-order": [
        (_APPLY, "  if start ~= old_start then return start > old_start end\n", "  if true then return true end\n")
    ],
    # events of a deleted job count again
    "deletion": [
        (_APPLY, "newer = is_newer(record, old)", "newer = is_newer(record, old) or byte(old, 32) == DELETED")
    ],
    # an event that is applied again counts again
    "replay": [
        (_APPLY, "newer = is_newer(record, old)", "newer = record == old or is_newer(record, old)"),
        (
            _APPLY,
            "if byte(old, 32) ~= DELETED then old_entry",
            "if byte(old, 32) ~= DELETED and record ~= old then old_entry",
        ),
    ],
    # a fetch counts as one to the end that brought nothing, though the partition goes on
    "high-watermark": [(_FETCH, "if is_handed_out and state.position >= highwater:", "if is_handed_out:")],
    # a leader is trusted that may not know its end yet
    "leader": [("consumers.kafka.leadership:Leadership.is_trusted", "return told_by == node and", "return True or")],
    # records that were compacted away count as read, though what replaces them is still to come
    "lacking": [
        ("consumers.kafka.aiokafka_private:_Fetcher._create_records", "self.reader.lacking.add(tp)", "None"),
        ("consumers.ingest.reading:Reading.__init__", "if found.is_compacted:", "if False:"),
    ],
    # followers are read from, a former leader among them
    "leader-fetch": [(_FETCH, "LeaderFetch(request)", "request")],
    # what was read before the store went back proves something afterwards
    "old-evidence": [(_SYNCHRONIZE, "self._consumer.caught_up.clear()", "pass")],
    # watermarks go beyond the last look at the topic's partitions
    "last-look": [
        ("consumers.ingest.reading:Reading.begin_write", "values_ms(self._watch.looked_ms)", "values_ms(now_ms)")
    ],
    # a claim is of the partition that is the furthest
    "least-watermark": [("consumers.ingest.applier:Applier.claim", "Claim(min(", "Claim(max(")],
    # a consumer tells the time by its own machine
    "clock": [("service.store.redis.clock:StoreClock.now_ms", "if self._lead_ms is None", "if True")],
    # events of transactions count that are not committed, or never will be
    "committed": [
        ("consumers.kafka.aiokafka_private:_Records._read", "self._isolation_level == READ_COMMITTED", "False")
    ],
    # nobody looks at the topic's id
    "topic-id": [
        ("consumers.kafka.metadata:TopicState.is_other", "self.topic_id != topic_id", "False"),
        ("consumers.kafka.metadata:TopicState.is_of_another", "return head.topic_id != self.id_bytes", "return False"),
        (_APPLY, "  elseif topic ~= TOPIC then\n", "  elseif false then\n"),
    ],
    # a consumer goes on writing what it had in hand when its partitions were taken away
    "release": [
        (
            "consumers.ingest.worker:Worker._in_this_epoch",
            "return lambda: epoch == self._epoch",
            "return lambda: epoch >= 0",
        ),
        ("consumers.ingest.worker:Worker.on_partitions_revoked", "await self._release(settles=True)", "pass"),
        ("consumers.ingest.worker:Worker.on_partitions_assigned", "self._reading = None\n", "pass\n"),
    ],
    # the API gives an answer by a look that was asked for before the question
    "look-before": [("service.store.read.joined_looks:JoinedLooks._look", "mget(tag, keys, close)", "mget(tag, keys)")],
    # the API looks, and gives a remembered answer though something was written
    "stamp": [
        ("service.store.read.questions:Questions._still", "if look.stamp == remembered.stamp", "if True"),
    ],
    # the API looks, and adds up nodes that were read before something was written
    "held": [("service.store.read.held:Held.body", "if look.stamp != self.settled.stamp:", "if False:")],
    # the API adds up nodes by a shape that is no longer the project's
    "shape": [
        (
            "service.store.read.questions:Questions._asked",
            "if view.meta.shape_id != plan.shape.shape_id:",
            "if False:",
        ),
        (
            "service.store.read.questions:Questions._asked",
            "plan.check(project_id, view)",
            "pass",
        ),
    ],
    # the API answers from a generation that is no longer the live one
    "live": [("service.store.read.questions:Questions._asked", "if view.look.head.live != plan.live:", "if False:")],
}

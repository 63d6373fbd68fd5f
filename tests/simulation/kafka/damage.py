"""Damages batches as a disk may: the log knows where they lie, and their bytes say something else. Pure, no I/O."""

import struct
from dataclasses import replace
from enum import Enum
from random import Random

from aiokafka.record.util import calc_crc32c

from tests.simulation.kafka.batches import CRC_AT, CRC_FROM, HEADER_BYTES, LENGTH_AT, LENGTH_FROM, MAGIC_AT, Batch


class Flaw(Enum):
    """Says what is wrong with a batch on disk."""

    CHECKSUM = "a byte of the records is another"
    MAGIC = "there is no such version of batches"
    TOO_SHORT = "the length is less than a header has"
    TOO_LONG = "the length is more than the log has"
    GARBAGE = "all after the length is garbage"
    RECORDS = "the records are garbage, with a checksum that is right"


def damage(batch: Batch, flaw: Flaw, rnd: Random) -> Batch:
    """Returns a batch with such a flaw, of as many bytes."""
    data = bytearray(batch.data)
    if flaw is Flaw.CHECKSUM:
        data[rnd.randrange(HEADER_BYTES, len(data))] ^= 1
    elif flaw is Flaw.MAGIC:
        data[MAGIC_AT] = 99
    elif flaw is Flaw.TOO_SHORT:
        struct.pack_into(">i", data, LENGTH_AT, rnd.randrange(-1, 10))
    elif flaw is Flaw.TOO_LONG:
        struct.pack_into(">i", data, LENGTH_AT, (1 << 30) + rnd.randrange(1_000))
    elif flaw is Flaw.GARBAGE:
        data[LENGTH_FROM:] = rnd.randbytes(len(data) - LENGTH_FROM)
    else:
        data[HEADER_BYTES:] = rnd.randbytes(len(data) - HEADER_BYTES)
        struct.pack_into(">I", data, CRC_AT, calc_crc32c(bytes(data[CRC_FROM:])))
    return replace(batch, data=bytes(data), is_damaged=True)

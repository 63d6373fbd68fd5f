"""Where the numbers lie in entries, rows and namings: a type, as numpy writes it, and an offset for each. Pure.

`read.node_rows` and `read.names` parse many items at once by them. No type has three, six or seven bytes: such a number
is read with bytes of its neighbours, which are then masked or shifted out.
"""

# start, low and middle word of the size, user key, status
ENTRY_FIELDS = {
    "start": ("<u8", 0),
    "low": ("<u4", 7),
    "middle": ("<u4", 11),
    "user": ("<u8", 13),
    "status": ("u1", 20),
}
START_IN_ENTRY = slice(0, 7)
USER_IN_ENTRY = 14

# user key, numbers of jobs by status, words of the sum of bytes; a narrow row ends with a middle word of three bytes
ROW_FIELDS = {
    b"r": {"user": ("<u8", 0), "jobs": ("(6,)u1", 6), "low": ("<u4", 12), "middle": ("<u4", 15)},
    b"R": {"user": ("<u8", 0), "jobs": ("(6,)<u4", 6), "low": ("<u4", 30), "middle": ("<u4", 34), "high": ("<u2", 38)},
}

# user key, time of the naming, digest
_NAMING_WIDTHS = (6, 7, 6)
NAMING_KEY = slice(0, 6)
NAMING_DIGEST = slice(sum(_NAMING_WIDTHS[:2]), sum(_NAMING_WIDTHS))

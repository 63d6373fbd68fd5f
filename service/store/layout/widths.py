"""The numbers in packed items by their widths in bytes, for those who take many items apart at once. Pure.

Numbers that no machine word holds are given in words of which the lowest comes first.
"""

# start; low and high word of the size; user key; status
ENTRY_WIDTHS = (7, 4, 3, 6, 1)
START, SIZE_LOW, SIZE_HIGH, USER, STATUS = range(5)
USER_IN_ENTRY = sum(ENTRY_WIDTHS[:USER])  # where a user key begins; a row begins with it

# user key; jobs by status; words of the bytes
ROW_WIDTHS = {b"r": (6, *[1] * 6, 4, 3), b"R": (6, *[4] * 6, 4, 4, 2)}

# user key, time of the naming, digest
_NAMING_WIDTHS = (6, 7, 6)
NAMING_KEY = slice(0, 6)
NAMING_DIGEST = slice(sum(_NAMING_WIDTHS[:2]), sum(_NAMING_WIDTHS))

"""The widths in bytes of the numbers in entries, rows and namings. Pure.

`read.sums` and `read.names` parse many items at once by them. A number that does not fit into a machine word is given
as several words, the lowest first.
"""

# start, low and high word of the size, user key, status
ENTRY_WIDTHS = (7, 4, 3, 6, 1)
START, SIZE_LOW, SIZE_HIGH, USER, STATUS = range(5)
USER_IN_ENTRY = sum(ENTRY_WIDTHS[:USER])  # where the user key begins in an entry; a row begins with its user key

# user key, numbers of jobs by status, words of the sum of bytes
ROW_WIDTHS = {b"r": (6, *[1] * 6, 4, 3), b"R": (6, *[4] * 6, 4, 4, 2)}

# user key, time of the naming, digest
_NAMING_WIDTHS = (6, 7, 6)
NAMING_KEY = slice(0, 6)
NAMING_DIGEST = slice(sum(_NAMING_WIDTHS[:2]), sum(_NAMING_WIDTHS))

"""Other ways to do the consumer's work, each a program of its own that `bench.peers.measure` runs on the same topic.

`python -m bench.peers.NAME RECORDS RESULT` takes so many records of the topic that the environment names, counts
them in Redis as `bench.peers.counting` says, and writes a `Meter`'s figures as JSON to the file RESULT. None of them
validates bounds, keeps users' names or offsets, or has dead letters; what each guarantees is in its docstring.
"""

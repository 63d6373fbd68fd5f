"""The Redis of the simulation: real servers, one or a cluster of three, behind fronts that run in virtual time.

home = Home()                                              # in the process that runs the life
store = SimulatedRedis(home, rnd, now_ms, users=("consumers", "service"))       # one primary; or
store = SimulatedCluster(addresses, home, rnd, now_ms, users=...)               # three, in `store.servers`
store.start()
network.listen(address, server.protocol, lambda: server.is_listening)           # for each server
...                                                        # the faults are methods of a server: `server.py`
store.close(); home.close()
"""

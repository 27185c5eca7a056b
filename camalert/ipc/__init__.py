"""What processes share: messages, channels, the pool of slots, and the start of a child.

The supervisor and every child build on it. A message is a datagram of a few dozen bytes and is encoded by hand; a
picture or frame stays in its slot of shared memory and only the slot's number travels. There is no lock, queue or
pickle that a killed process could leave broken; a message about a lease that is over is dropped by its generation.
"""

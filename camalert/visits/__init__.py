"""Visits: pictures with people become one visit of a camera, and it is decided who is told of it, and why not.

The writer asks here in a verdict's own transaction; the notifier sends what was decided. Nothing here reads a clock, a
table or a socket.
"""

"""The parent process: it starts the others, restarts them, and routes every picture through them.

`camalert run` and systemd enter at `start`; `loop` does what `lifecycle`, `dispatch` and `restart` decide from values
and the time. It binds the ports, owns the shared memory, and holds its tables in memory of its own, so that no crash of
a child can damage them. It never imports cv2, numpy, aiosmtpd or sqlite3, touches no pixel, and waits for nobody.
"""

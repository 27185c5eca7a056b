"""Reading an alarm mail: bytes and an envelope in, camera, event, time and the places of its pictures out.

The reader processes of `smtp` call `reader.read`, the folder takes its names and times from the same tables, and
`camalert anonymise` walks the same parts. Firmware breaks every rule of MIME, so that nothing here raises for a mail:
what cannot be read is left out and named. It takes time in proportion to the mail and touches no socket, file, clock or
log.
"""

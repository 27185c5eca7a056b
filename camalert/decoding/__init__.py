"""From the bytes of a picture or clip to frames, in processes that a hostile file may crash.

`process` is the decoder; intake, site and command line use `kinds` and `headers`, which read a file's first bytes and
decode nothing. A picture whose kind, size or number of scans is out of bounds is refused before a codec sees it.
Nothing here opens a file by name, knows the network or the database, or keeps a frame.
"""

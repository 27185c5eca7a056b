"""The database: tables, rows, the queue of what is to be examined, retention, and how SQLite keeps what was promised.

The writer process (`process`) makes every insert and checkpoint and applies retention; the site and cams read beside it
and delete, the command line backs up, verifies and compacts. A commit is on the disk before anybody hears of it.
Nothing here decodes a picture or waits for another process.
"""

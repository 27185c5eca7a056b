"""The database: the writer with its queue, the contract of a store, the rules over rows, and the engine under them.

The writer process (`process`) makes every insert and checkpoint and applies retention; the site and cams read beside it
and delete, the command line backs up, verifies and compacts. A commit is on the disk before anybody hears of it.
Nothing here decodes a picture or waits for another process.
"""

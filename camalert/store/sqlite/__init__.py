"""How SQLite keeps what the writer was given: files, tables, statements, and the tools of the command line.

Of `camalert.store` it knows the values alone: `queue`, `verdict`, `filesystem`.
"""

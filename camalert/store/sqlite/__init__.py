"""How SQLite keeps what the writer was given: files, tables, statements, and the tools of the command line.

Of `camalert.store` it knows the contract that it fulfils (`interface`), the rules over rows, and values.
"""

"""How PostgreSQL keeps what the writer was given: the rules' SQL in its words, tables and triggers, the connection.

It needs psycopg, the extra `postgresql`, and is imported only where `[database] url` is set. Of `camalert.store` it
knows the contract that it fulfils (`interface`), the rules over rows, and values.
"""

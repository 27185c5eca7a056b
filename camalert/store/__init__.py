"""The database: tables, rows, queue and upkeep.

The writer process owns every insert and every checkpoint; the command line and the review site use `queries`, `backup`,
`verify` and `compact`. Nothing here decodes a picture or waits for another process.
"""

"""The rules over rows: what mails, verdicts, marks, switches and time do to the tables, in SQL that every store speaks.

A rule gets the `Rows` of one transaction (`store.interface`) and knows no file, no lock and no engine. Of
`camalert.store` it knows the values alone: `interface`, `queue`, `verdict`, `filesystem`.
"""

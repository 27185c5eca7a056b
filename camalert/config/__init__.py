"""The configuration: its keys, where their values come from, and what is wrong with them.

Every command and the supervisor load it once, at the start and for a reload; children are handed the finished `Config`.
A value comes from the environment, else from `.env`, else from the file, else it is the default of `schema`. Everything
that is wrong is reported at once, with the place. Nothing here binds, opens or starts what a key names.
"""

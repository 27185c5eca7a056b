"""The folder as input: pictures that cameras upload and other programs drop, stored as the alarms of a mail are.

`process` is the child's entry; `rules` and `watch` decide, `files` touches the folder.
"""

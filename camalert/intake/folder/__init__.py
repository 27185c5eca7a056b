"""The folder as input: pictures that cameras upload and other programs drop, stored like the alarms of a mail.

`process` is the child; `rules` decides what is wanted, complete and due, `files` touches the folder. A file is
removed when the writer has committed it, and rejected when it crashed the process once. No link is followed, and
nothing outside the folder is opened.
"""

"""The SMTP server for cameras, and the reader processes that are its children.

`process` owns the event loop and the sockets that the supervisor bound; it runs the sessions. `readers` has the
processes that parse mails, where a crash costs one mail. A mail is answered 250 when the writer has committed it, else
with a 4xx, after which a camera may repeat it. The server never reads a mail, decodes a picture or opens the database.
"""

"""How an alarm comes in: as a mail over SMTP, or as a file in a watched folder.

`mail` reads a mail and knows neither sockets nor processes; `smtp` and `folder` are the two ways in. Both put what they
took into an intake slot, and answer the client or remove the file only after the writer's commit. Nothing here decodes
a picture, opens the database, or believes a name or type that a client declares.
"""

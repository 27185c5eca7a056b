"""The operating system: ports, limits, networks, rights, signals, systemd, the log.

One thing of Linux a module, for every process and command. What differs between a terminal, a service and a socket unit
is decided here and nowhere else. Nothing here knows mails, pictures or the database.
"""

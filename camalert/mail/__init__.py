"""Reading alarm mails: bytes and an envelope in, values out. Pure: no socket, clock, file or log call."""

"""What went wrong with a camera, and what its owner should change.

Each function returns one sentence; the log line and the status carry it.
"""

from __future__ import annotations

import ssl

MIB = 1 << 20
_OLD_TLS = 'renew its firmware, or set [smtp] min_tls = "1.0"'


def tls_on_plain_port(peer: str, port: int, tls_ports: tuple[int, ...]) -> str:
    """Say it of a client that opened TLS where none is spoken."""
    other = f", or use port {tls_ports[0]}" if tls_ports else ""
    return f"camera at {peer} started TLS on the plain port {port}: switch SSL off in the camera{other}"


def handshake_failed(peer: str, port: int, error: BaseException, min_tls: str, *, is_starttls: bool) -> str:
    """Say it of a client whose TLS handshake failed, on a TLS port or after STARTTLS."""
    reason = getattr(error, "reason", "") or ""
    if isinstance(error, ssl.SSLError):
        if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"):
            return f"camera at {peer} spoke without TLS {_where(port, is_starttls=is_starttls)}"
        if "UNSUPPORTED_PROTOCOL" in reason or "VERSION_TOO_LOW" in reason:
            return f"camera at {peer} speaks a TLS older than {min_tls}: {_OLD_TLS}"
        if "NO_SHARED_CIPHER" in reason:
            return f"camera at {peer} supports none of our TLS ciphers: {_OLD_TLS}"
        if "ALERT" in reason:
            return (
                f"camera at {peer} refused our certificate ({reason}): switch certificate checking off in the "
                "camera, or give it our certificate"
            )
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return f"camera at {peer} said nothing {_where(port, is_starttls=is_starttls)}"
    why = reason or str(error) or type(error).__name__
    return f"camera at {peer} broke off the TLS handshake on port {port}: {why}"


def _where(port: int, *, is_starttls: bool) -> str:
    if is_starttls:
        return f"after STARTTLS on port {port}: switch encryption off in the camera, or set it to SSL and to a TLS port"
    return f"on the TLS port {port}: switch SSL on in the camera, or use a plain port"


def refused_address(peer: str, port: int, *, is_ports_own_rule: bool) -> str:
    """Say it of a client outside the allowed networks."""
    where = f"allow of the [[smtp.listen]] with port {port}" if is_ports_own_rule else "[smtp] allow"
    return f'{peer} may not send to port {port}: if it is a camera of yours, add "{peer}" to {where}'


def passed_by(peer: str, port: int) -> str:
    """Say it of a client that did not come through the balancer."""
    return (
        f"{peer} may not connect to port {port} itself: its [[smtp.listen]] takes connections from its balancer only; "
        f'let cameras send to the balancer, or add "{peer}" to balancer there if it is one'
    )


def no_header(peer: str, port: int, what: str) -> str:
    """Say it of a balancer that does not say whose connection it passes on."""
    return (
        f"the balancer at {peer} {what} on port {port}: let it send version 2 (HAProxy: send-proxy-v2), or remove "
        "balancer from its [[smtp.listen]]"
    )


def login_failed(peer: str, login: str) -> str:
    """Say it of a client that could not log in."""
    return (
        f'camera at {peer} logged in as "{login}" with a wrong name or password: correct it in the camera, or in '
        "[[smtp.auth.user]]"
    )


def too_many_guesses(peer: str) -> str:
    """Say it of a client whose logins are refused unread, because too many of its address were wrong."""
    return (
        f"{peer} tried too many wrong logins and is refused for a minute: somebody is guessing passwords, or a "
        "camera has a wrong one"
    )


def login_missing(peer: str) -> str:
    """Say it of a client that sends without logging in where a login is required."""
    return (
        f'camera at {peer} did not log in, and [smtp.auth] accept = "users" requires it: enter a user name and '
        "password in the camera"
    )


def too_large(peer: str, limit_bytes: int) -> str:
    """Say it of a mail beyond the limit."""
    return (
        f"camera at {peer} sent a mail of more than {limit_bytes / MIB:.1f} MiB: choose fewer or smaller pictures or a "
        "shorter clip in the camera, or raise [intake] max_mail_bytes"
    )


def torn_mail(peer: str, received_bytes: int) -> str:
    """Say it of a connection that ended within a mail."""
    return (
        f"camera at {peer} broke off within a mail after {received_bytes} bytes: its network is weak, or it gave up "
        "waiting; the camera's own test button shows whether it happens again"
    )


def bare_dot(peer: str, received_bytes: int) -> str:
    """Say it of a client that ends a mail as no standard allows, within lines that end rightly."""
    return (
        f"camera at {peer} ended its mail after {received_bytes} bytes with a dot behind a bare line feed: that is not "
        "the end of a mail (CRLF.CRLF is), so nothing of it was taken; newer firmware may do better"
    )


def slow_mail(peer: str, seconds: float) -> str:
    """Say it of a mail that took too long."""
    return f"camera at {peer} did not finish its mail within {seconds:g} s ([smtp] mail_seconds): is its network weak?"


def silent(peer: str, seconds: float) -> str:
    """Say it of a client that stopped talking."""
    return f"camera at {peer} said nothing for {seconds:g} s ([smtp] command_seconds), so the connection was closed"


def gave_up(peer: str, last: str, *, offers_login: bool, offers_tls: bool) -> str:
    """Say it of a client that spoke and left without a mail."""
    hints = []
    if last in ("EHLO", "HELO") and not offers_login:
        hints.append('it may insist on a login: set [smtp.auth] accept = "any"')
    if last in ("EHLO", "HELO") and not offers_tls:
        hints.append("it may insist on encryption: switch SSL/TLS off in the camera, or give a [[smtp.listen]] tls")
    return f"camera at {peer} left after {last} without sending a mail" + (": " + ", or ".join(hints) if hints else "")


def spoke_http(peer: str, port: int) -> str:
    """Say it of a browser."""
    return f"{peer} spoke HTTP, as a browser does, to the mail port {port}: this port is for cameras' mails only"


def nonsense(peer: str, last: str) -> str:
    """Say it of a client that was disconnected for too many unknown commands.

    Args:
        peer: Its address.
        last: The last of them, as far as it may be shown.
    """
    named = f', at last "{last}"' if last else ""
    return f"{peer} sent too many unknown commands{named}: it is not a camera that sends mail"


def crowded(peer: str, limit: int) -> str:
    """Say it of a client that was sent away because all others were at work."""
    return (
        f"{peer} was disconnected: {limit} connections are busy ([smtp] max_connections, max_connections_per_address)"
    )


def gave_way(peer: str) -> str:
    """Say it of a client that was sent away although it was there before the newcomer."""
    return (
        f"{peer} was disconnected because it made hardly any progress: all connections were in use and another client "
        "connected ([smtp] max_connections, max_connections_per_address)"
    )


def bare_line_feeds(peer: str) -> str:
    """Say it of a client whose lines end as no standard allows."""
    return (
        f"camera at {peer} ends its lines with a bare line feed: its mails are accepted, but 2 s late; newer firmware "
        "may fix that"
    )


def too_many_mails(peer: str, limit: int) -> str:
    """Say it of a client that sends more mails than allowed."""
    return f"camera at {peer} sent more than {limit} mails in a minute ([smtp] mails_per_minute)"


def not_stored(peer: str, reason: str) -> str:
    """Say it of a mail that was received and could not be stored."""
    return (
        f"mail from camera at {peer} was not stored: {reason}; the camera was asked to send it again, and most never do"
    )


def own_message(peer: str) -> str:
    """Say it of one of our own messages that came back as a mail."""
    return (
        f"{peer} sent a message of camalert's own back to it, which was refused: the mail target of a [[notify]] "
        "block, or a forwarding behind it, leads here"
    )


def no_memory(peer: str) -> str:
    """Say it of a mail that waited too long for memory."""
    return (
        f"mail of camera at {peer} had to wait too long for others: too much was sent at once; raise [intake] "
        "transit_bytes"
    )

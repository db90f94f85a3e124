"""Ports on loopback."""

from __future__ import annotations

import socket
from collections.abc import Collection

from conf.errors import SlipstreamError

HOST = "127.0.0.1"


class PortTakenError(SlipstreamError):
    """A port is in use by another program; the message names the remedy."""


def accepts_connections(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        return client.connect_ex((HOST, port)) == 0


def is_port_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    # A connection too: on some systems one may bind 127.0.0.1 while another program listens on all addresses.
    if accepts_connections(port):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger after a stop are no bar
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_port(service: str, setting: str, port: int, auto_port: bool = False, exclude: Collection[int] = ()) -> int:
    """The port a service is to listen on.

    Args:
        service: Its name, for the message.
        setting: The environment variable that sets the port, for the message.
        port: The wanted one.
        auto_port: Take the next free port above ``port`` if it is taken.
        exclude: Ports promised to others.

    Raises:
        PortTakenError: If the port is taken and ``auto_port`` is off, or no port above it is free.
    """
    candidates = range(port, 65536) if auto_port else (port,)
    for candidate in candidates:
        if candidate not in exclude and is_port_free(candidate):
            return candidate
    if auto_port:
        raise PortTakenError(f"{service}: no free port from {port} upwards. Set {setting} to a lower one.")
    if port in exclude:
        raise PortTakenError(
            f"{service}: {setting}={port} is also the port of another service here; set it to another."
        )
    raise PortTakenError(
        f"{service}: port {port} is taken by another program. Stop that one, set {setting} to a free port, "
        "or use --auto-port."
    )

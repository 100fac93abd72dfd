"""Free TCP ports on loopback for the processes that we start. Nothing here keeps a port: the caller binds it."""

import random
import socket

# Below the range that kernels hand out for outgoing connections (32768 on Linux, 49152 elsewhere), so that a port that
# is kept between two runs is not lent to somebody's client in the meantime.
LOWEST_PORT = 15_000
HIGHEST_PORT = 31_999
ATTEMPTS = 200


def is_port_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment.

    Raises:
        OSError: no free one was found in `ATTEMPTS` random tries.
    """
    chooser = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = chooser.randint(LOWEST_PORT, HIGHEST_PORT)
        if is_port_free(port):
            return port
    raise OSError(f"no free port found between {LOWEST_PORT} and {HIGHEST_PORT}")


def preferred_port(port: int) -> int:
    """The port asked for, or a free one when somebody has it."""
    return port if is_port_free(port) else free_port()

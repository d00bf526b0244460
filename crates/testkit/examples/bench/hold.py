"""Connections that have said what opens a door, and then nothing: `hold.py ssh|https|http COUNT ADDRESS...`. First one with
each address is opened and closed, then COUNT are held, spread over all; after each it says so, and waits for a line."""

import socket
import ssl
import sys

DOOR, COUNT, ADDRESSES = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
#: No client of these waits longer.
PATIENCE_S = 30


def ssh(address):
    """Up to the keys: a login could follow."""
    import paramiko

    transport = paramiko.Transport((address, 22))
    transport.start_client(timeout=PATIENCE_S)
    return transport


def https(address):
    """Up to the end of the handshake, and what comes after it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection((address, 443), timeout=PATIENCE_S)
    return context.wrap_socket(plain, server_hostname="bench")


def http(address):
    """A page has been read, and the connection is kept."""
    stream = socket.create_connection((address, 80), timeout=PATIENCE_S)
    stream.sendall(f"GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.recv(65536)
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += stream.recv(65536)
    return stream


def say(word):
    print(word, flush=True)
    sys.stdin.readline()


connect = {"ssh": ssh, "https": https, "http": http}[DOOR]
for address in ADDRESSES:
    connect(address).close()
say("warm")
held = [connect(ADDRESSES[n % len(ADDRESSES)]) for n in range(COUNT)]
if DOOR == "ssh":
    assert all(transport.is_active() for transport in held)
say("held")

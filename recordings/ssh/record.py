#!/usr/bin/env python3
"""Records how a real SSH server behaves: `record.py TREE PROGRAM OUT [OPTION...]`, as root, in a network namespace of its own.

TREE holds the unpacked packages, PROGRAM (usr/sbin/sshd or usr/sbin/dropbear) is run in it by chroot. What comes back is
read off the loopback interface packet by packet, because segments, FIN and RST are part of what is recorded.
`cargo xtask goldens ssh` makes the tree and runs this. Only Python's standard library and ssh(1) are used.
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PORT = 22
#: Seconds in which a server that still means to answer does.
PATIENCE = 1.2

GOOD = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u5\r\n"


def packet(payload, padding=None):
    """A packet in clear (RFC 4253 §6)."""
    if padding is None:
        padding = 8 - (len(payload) + 5) % 8
        if padding < 4:
            padding += 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def kexinit(kex=b"curve25519-sha256", key=b"ssh-ed25519", cipher=b"aes128-ctr", mac=b"hmac-sha2-256", compression=b"none"):
    lists = [kex, key, cipher, cipher, mac, mac, compression, compression, b"", b""]
    return b"\x14" + bytes(16) + b"".join(struct.pack(">I", len(n)) + n for n in lists) + b"\0" + bytes(4)


#: Name, and what is sent: a tuple is sent piece by piece, 0.3 s apart; None ends the client's side.
PROBES = [
    ("silence", ()),
    ("end", (None,)),
    ("version-1337", (b"SSH-1337-OpenSSH_9.0\r\n",)),
    ("version-1111", (b"SSH-1111-OpenSSH_9.0\r\n",)),
    ("foo", (b"foo\r\n",)),
    ("version-3.0", (b"SSH-3.0-x\r\n",)),
    ("version-1.5", (b"SSH-1.5-x\r\n",)),
    ("version-1.99", (b"SSH-1.99-x\r\n",)),
    ("version-2.2", (b"SSH-2.2-OpenSSH_9.0\r\n",)),
    ("version-2.0-no-software", (b"SSH-2.0-\r\n",)),
    ("version-2.0-no-dash", (b"SSH-2.0\r\n",)),
    ("line-feed-only", (b"SSH-2.0-OpenSSH_9.2\n",)),
    ("trailing-space", (b"SSH-2.0-OpenSSH_9.2 \r\n",)),
    ("no-line-end", (b"SSH-2.0-OpenSSH_9.2",)),
    ("half-a-version-and-end", (b"SSH-2.0-Open", None)),
    ("lines-before-version", (b"hello\r\n" + GOOD,)),
    ("http", (b"GET / HTTP/1.0\r\n\r\n",)),
    ("eight-line-feeds", (b"\n" * 8,)),
    ("long-version", (b"SSH-2.0-" + b"a" * 8992 + b"\r\n",)),
    ("version-of-255", (b"SSH-2.0-" + b"a" * 245 + b"\r\n",)),
    ("version-of-400", (b"SSH-2.0-" + b"a" * 390 + b"\r\n",)),
    ("nul-in-version", (b"SSH-2.0-Open\0SSH_9.2\r\n",)),
    ("shunned-probe", (b"SSH-2.0-Probe-x\r\n",)),
    ("version-in-pieces", (b"SSH-", b"2.0-x", b"\r", b"\n")),
    ("then-64-ff", (GOOD, b"\xff" * 64)),
    ("then-8-line-feeds", (GOOD, b"\n" * 8)),
    ("then-64-zeros", (GOOD, b"\0" * 64)),
    ("then-end", (GOOD, None)),
    ("then-length-1", (GOOD, struct.pack(">IB", 1, 0) + bytes(16))),
    ("then-length-262145", (GOOD, struct.pack(">IB", 262145, 4) + bytes(64))),
    ("then-length-35004", (GOOD, struct.pack(">IB", 35004, 4) + bytes(64))),
    ("then-padding-too-long", (GOOD, struct.pack(">IB", 12, 200) + bytes(11))),
    ("then-length-not-of-8", (GOOD, struct.pack(">IB", 13, 4) + bytes(12))),
    ("then-empty-payload", (GOOD, packet(b"", 11))),
    ("then-disconnect", (GOOD, packet(b"\x01" + struct.pack(">I", 11) + struct.pack(">I", 3) + b"bye" + bytes(4)))),
    ("then-ignore", (GOOD, packet(b"\x02" + struct.pack(">I", 3) + b"abc"))),
    ("then-debug", (GOOD, packet(b"\x04\x01" + struct.pack(">I", 3) + b"abc" + bytes(4)))),
    ("then-service-request", (GOOD, packet(b"\x05" + struct.pack(">I", 12) + b"ssh-userauth"))),
    ("then-newkeys", (GOOD, packet(b"\x15"))),
    ("then-kexdh-init", (GOOD, packet(b"\x1e" + struct.pack(">I", 32) + bytes(32)))),
    ("then-message-192", (GOOD, packet(b"\xc0abc"))),
    ("then-userauth-request", (GOOD, packet(b"\x32" + bytes(12)))),
    ("then-kexinit-truncated", (GOOD, packet(kexinit()[:40]))),
    ("then-kexinit-no-kex", (GOOD, packet(kexinit(kex=b"none-such")))),
    ("then-kexinit-no-key", (GOOD, packet(kexinit(key=b"none-such")))),
    ("then-kexinit-no-cipher", (GOOD, packet(kexinit(cipher=b"none-such")))),
    ("then-kexinit-no-mac", (GOOD, packet(kexinit(mac=b"none-such")))),
    ("then-kexinit-no-compression", (GOOD, packet(kexinit(compression=b"none-such")))),
    ("then-kexinit-and-zero-key", (GOOD, packet(kexinit()) + packet(b"\x1e" + struct.pack(">I", 32) + bytes(32)))),
    ("then-kexinit-and-short-key", (GOOD, packet(kexinit()) + packet(b"\x1e" + struct.pack(">I", 8) + bytes(8)))),
    ("then-kexinit-and-service", (GOOD, packet(kexinit()) + packet(b"\x05" + struct.pack(">I", 12) + b"ssh-userauth"))),
    ("then-kexinit-twice", (GOOD, packet(kexinit()) * 2)),
]


class Tap(threading.Thread):
    """Every packet on the loopback interface, once."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("lo", 0))
        self.packets = []

    def run(self):
        while True:
            frame, address = self.socket.recvfrom(70000)
            if address[2] == socket.PACKET_OUTGOING or len(frame) < 54:
                continue
            header = 14 + (frame[14] & 15) * 4
            length = struct.unpack(">H", frame[16:18])[0]
            source, target, seq, ack, offset, flags = struct.unpack(">HHIIBB", frame[header : header + 14])
            data = frame[header + (offset >> 4) * 4 : 14 + length]
            self.packets.append((time.monotonic(), source, target, flags, data))


def escaped(octets):
    return "".join(chr(o) if 32 <= o < 127 and o != 92 else {10: "\\n", 13: "\\r", 92: "\\\\"}.get(o, f"\\x{o:02x}") for o in octets)


def shortened(octets):
    """As `escaped`, runs of one octet counted."""
    out = ""
    at = 0
    while at < len(octets):
        run = 1
        while at + run < len(octets) and octets[at + run] == octets[at]:
            run += 1
        if run > 7:
            out += f"{{{run}x{escaped(octets[at:at + 1])}}}"
        else:
            run = 1
            out += escaped(octets[at : at + 1])
        at += run
    return out


def connect():
    for _ in range(50):
        try:
            return socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("the server does not listen")


def segments(tap, port, since):
    """What the server sent to `port`."""
    out = []
    for _, source, target, flags, data in tap.packets[since:]:
        if source != PORT or target != port:
            continue
        if data:
            out.append(name_of(data))
        if flags & 4:
            out.append("RST")
        elif flags & 1:
            out.append("FIN")
    return out


def name_of(data):
    """A KEXINIT and a key exchange reply have chance in them: their length tells enough."""
    if data.startswith(b"SSH-") and b"\n" in data[:-1]:
        end = data.index(b"\n") + 1
        return f'"{shortened(data[:end])}" + {name_of(data[end:])}'
    if len(data) > 6 and struct.unpack(">I", data[:4])[0] + 4 <= len(data) and data[4] < len(data):
        length, padding, kind = struct.unpack(">IBB", data[:6])
        payload = data[5 : 4 + length - padding]
        rest = data[4 + length :]
        if kind == 20 and len(payload) > 60:
            name = f"KEXINIT {length + 4} padding {padding} {'zeros' if not any(data[4 + length - padding : 4 + length]) else 'chance'}"
        elif kind in (31, 33):
            name = f"MESSAGE {kind}"
            rest = b""
        elif kind == 1:
            name = f"DISCONNECT {escaped(payload[1:])}"
        elif kind == 3:
            name = f"UNIMPLEMENTED {payload[1:].hex()}"
        else:
            return f'"{shortened(data)}"'
        return name + (f" + {name_of(rest)}" if rest else "")
    return f'"{shortened(data)}"'


def probe(tap, pieces):
    since = len(tap.packets)
    client = connect()
    port = client.getsockname()[1]
    # Longer than any delay in which a server speaks of itself.
    time.sleep(0.25)
    try:
        for piece in pieces:
            if piece is None:
                client.shutdown(socket.SHUT_WR)
            else:
                client.sendall(piece)
            time.sleep(0.3)
    except OSError:
        pass
    time.sleep(PATIENCE)
    out = segments(tap, port, since)
    client.close()
    time.sleep(0.05)
    return out


def kexinit_of(tap):
    client = connect()
    stream = b""
    client.sendall(GOOD)
    time.sleep(PATIENCE / 2)
    stream = client.recv(65536)
    client.close()
    version, rest = stream.split(b"\n", 1)
    length, padding, kind = struct.unpack(">IBB", rest[:6])
    payload = rest[5 : 4 + length - padding]
    assert kind == 20
    names, at = [], 17
    for _ in range(10):
        size = struct.unpack(">I", payload[at : at + 4])[0]
        names.append(payload[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return version + b"\n", names, payload[at:], padding


LISTS = "kex host-key cipher-in cipher-out mac-in mac-out compression-in compression-out language-in language-out".split()


def client_log(*options, user="nobody-here", askpass=None):
    environment = dict(os.environ, SSH_ASKPASS_REQUIRE="force", SSH_ASKPASS=askpass or "/bin/false", DISPLAY=":0")
    command = ["ssh", "-vvv", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    command += ["-o", "PubkeyAuthentication=no", *options, f"{user}@127.0.0.1", "true"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
    return run.stderr


def authentication(out):
    log = client_log("-o", "NumberOfPasswordPrompts=0")
    with open(os.path.join(out, "ext-info.txt"), "w") as file:
        for line in log.splitlines():
            # Of an extension that it does not know, this client tells the name alone.
            if "kex_input_ext_info: " in line and ("=<" in line or "(unrecognised)" in line):
                file.write(line.split("kex_input_ext_info: ")[1].replace(" (unrecognised)", "") + "\n")
    askpass = os.path.join(tempfile.mkdtemp(), "askpass")
    with open(askpass, "w") as file:
        file.write("#!/bin/sh\necho wrong\n")
    os.chmod(askpass, 0o755)
    with open(os.path.join(out, "auth.txt"), "w") as file:
        for line in log.splitlines():
            if "Authentications that can continue" in line:
                file.write("after none: " + line.split("continue: ")[1] + "\n")
                break
        for user in ("nobody-here", "root"):
            began = time.monotonic()
            log = client_log("-o", "NumberOfPasswordPrompts=10", "-o", "PreferredAuthentications=password", user=user, askpass=askpass)
            took = time.monotonic() - began
            asked = log.count("we sent a password packet")
            file.write(f"{user}: {asked} passwords\n")
            for line in log.splitlines():
                if line.startswith(("Received disconnect", "Connection closed", "Disconnected from")) or "Permission denied (" in line:
                    file.write(f"{user}: {line.replace('127.0.0.1', 'HOST').replace(f'port {PORT}', 'port PORT')}\n")
            print(f"{user}: {asked} passwords in {took:.1f} s", file=sys.stderr)


def main():
    tree, program, out, *options = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # One packet a segment, as on a wire.
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "gso_max_segs", "1"], check=False)
    os.makedirs(out, exist_ok=True)
    daemon = subprocess.Popen(["chroot", tree, "/" + program, *options], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        tap = Tap()
        tap.start()
        version, names, tail, padding = kexinit_of(tap)
        with open(os.path.join(out, "kexinit.txt"), "w") as file:
            file.write(f"version {escaped(version)}\n")
            for name, value in zip(LISTS, names):
                file.write(f"{name} {value}\n")
            file.write(f"tail {tail.hex()}\npadding {padding}\n")
        with open(os.path.join(out, "malformed.txt"), "w") as file:
            for name, pieces in PROBES:
                file.write(f"{name}\n")
                for piece in pieces:
                    file.write("> END\n" if piece is None else f'> "{shortened(piece)}"\n')
                for answer in probe(tap, pieces):
                    file.write(f"< {answer}\n")
                file.write("\n")
        authentication(out)
    finally:
        daemon.terminate()
        daemon.wait()


if __name__ == "__main__":
    main()

"""Clients of TLS that say what no client says, stop in the middle, or are slow: `clients.py PORT quick|slow`. Prints a line
for each: its name, and what it was told, each with the second since its first word. All are there at a time."""

import socket
import ssl
import sys
import threading
import time

PORT, MODE = int(sys.argv[1]), sys.argv[2]
#: Seconds for which a client waits for its end.
PATIENCE = 2.5 if MODE == "quick" else 320
#: Clients at a time in the quick run, so that a busy machine answers in time.
AT_ONCE = 48 if MODE == "quick" else 1000
HELLO, FIN = "hello", "fin"
KINDS = {20: "change", 21: "alert", 22: "handshake", 23: "protected"}


def alert(level, code):
    return bytes([21, 3, 3, 0, 2, level, code])


def header(kind, length):
    return bytes([kind, 3, 3, 0, length])


def old_hello(version, suites, session=b"", challenge=b"c" * 16, lie=0):
    """The hello of SSL 2 (RFC 5246 §E.2)."""
    lengths = b"".join(len(part).to_bytes(2, "big") for part in (suites, session, challenge))
    body = b"\x01" + version.to_bytes(2, "big") + lengths + suites + session + challenge
    return (0x8000 | len(body) + lie).to_bytes(2, "big") + body


class Client:
    """One connection, and a client of TLS in memory that has said its hello."""

    def __init__(self, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        self.to_us, self.to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.to_us, self.to_them, server_hostname="nav-1")
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.hello = self.to_them.read()
        self.told, self.ended, self.reader = [], False, b""
        self.line = socket.create_connection(("127.0.0.1", PORT))
        self.begun = time.monotonic()

    def note(self, what):
        self.told.append((time.monotonic() - self.begun, what))

    def take(self, octets):
        """Notes the records that are whole; what is none is noted by its first line."""
        self.reader += octets
        while len(self.reader) >= 5:
            if self.reader[0] not in KINDS:
                self.note(self.reader.split(b"\r\n")[0].decode("latin-1"))
                self.reader = b""
                return
            length = 5 + int.from_bytes(self.reader[3:5], "big")
            if len(self.reader) < length:
                return
            record, self.reader = self.reader[:length], self.reader[length:]
            kind = KINDS[record[0]]
            # The flight of a handshake and what is in it are for other tests.
            if kind == "alert" and length == 7:
                kind += f" {record[5]}/{record[6]}"
            elif kind == "protected":
                kind += f" {length}" if length == 24 else ""
            if kind not in ("handshake", "change"):
                self.note(kind)

    def listen(self, seconds):
        until = time.monotonic() + seconds
        while not self.ended:
            left = until - time.monotonic()
            if left <= 0:
                return
            self.line.settimeout(left)
            try:
                octets = self.line.recv(65536)
            except TimeoutError:
                return
            except OSError:
                self.note("rst")
                self.ended = True
                return
            if octets:
                self.take(octets)
                self.to_us.write(octets)
            else:
                self.note("fin")
                self.ended = True
        time.sleep(max(0, min(seconds, 1, until - time.monotonic())))

    def shake_hands(self):
        self.line.settimeout(20)
        self.line.sendall(self.hello)
        while True:
            self.to_us.write(self.line.recv(65536))
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if said := self.to_them.read():
                    self.line.sendall(said)
        self.line.sendall(self.to_them.read())
        # Tickets of TLS 1.3, however many, of a server that shakes many hands.
        self.line.settimeout(2)
        try:
            while said := self.line.recv(65536):
                self.to_us.write(said)
        except TimeoutError:
            pass
        self.begun = time.monotonic()

    def run(self, steps):
        for step in steps:
            if isinstance(step, (int, float)):
                self.listen(step)
            elif step == HELLO:
                self.say(self.hello)
            elif isinstance(step, slice):
                self.say(self.hello[step])
            elif step == "hands":
                self.shake_hands()
            elif step == FIN:
                self.line.shutdown(socket.SHUT_WR)
            elif isinstance(step, str):
                self.tls.write(step.encode())
                self.say(self.to_them.read())
            else:
                self.say(step)
        self.listen(PATIENCE)
        return self.told

    def say(self, octets):
        try:
            self.line.sendall(octets)
        except OSError:
            self.note("refused")


def slowly(first, steps):
    return first + [each for step in steps for each in (step, 10)]


def quick():
    """Alerts and other records where they do not belong, and what comes behind a record at which the server gives up."""
    wrong = header(22, 5) + b"\x02\0\0\x01x"
    cases = {}
    for level, code in ((1, 0), (1, 90), (1, 100), (1, 41), (1, 112), (2, 0), (2, 40), (2, 90), (3, 0), (3, 90)):
        cases[f"alert {level}/{code} first"] = [alert(level, code)]
        cases[f"alert {level}/{code}"] = [HELLO, 0.4, alert(level, code)]
    for code in (0, 41, 90, 100):
        for count in (2, 4, 5, 6):
            cases[f"{count} alerts 1/{code} first"] = [alert(1, code) * count]
            cases[f"{count} alerts 1/{code}"] = [HELLO, 0.4, alert(1, code) * count]
    cases["alert 1/0, and a hello"] = [alert(1, 0), 0.2, HELLO]
    cases["alert of one octet"] = [HELLO, 0.4, header(21, 1) + b"\x01"]
    cases["alert of four octets"] = [HELLO, 0.4, header(21, 4) + b"\x01\0\x01\0"]
    cases["change, alert 1/0"] = [HELLO, 0.4, header(20, 1) + b"\x01" + alert(1, 0)]
    for kind in (20, 21, 22, 23, 99):
        cases[f"header of kind {kind} first"] = [header(kind, 2)]
        cases[f"header of kind {kind}"] = [HELLO, 0.4, header(kind, 1)]
        cases[f"kind {kind} first"] = [header(kind, 1) + b"\x01"]
        cases[f"kind {kind}"] = [HELLO, 0.4, header(kind, 1) + b"\x01"]
    for count in (1, 100, 7_900, 8_100, 16_600, 16_800, 40_000):
        cases[f"a wrong hello and {count} octets"] = [wrong + b"y" * (count - 10 if count > 10 else count)]
        cases[f"alert 2/40 and {count} octets"] = [HELLO, 0.4, alert(2, 40) + b"y" * count]
    later = [1, b"x", 0.4, b"x", 0.4]
    cases["a wrong hello, later more"] = [wrong, *later]
    for level, code in ((2, 40), (1, 0)):
        cases[f"alert {level}/{code}, later more"] = [HELLO, 0.4, alert(level, code), *later]
    own, shared = b"\x07\0\xc0\x05\0\x80", b"\0\xc0\x2f\0\xc0\x30\0\0\x2f\0\0\x9c\0\0\xff"
    for version in (2, 0x300, 0x301, 0x302, 0x303, 0x304, 0x909):
        cases[f"hello of SSL 2, version {version:x}"] = [old_hello(version, own + shared)]
    last = old_hello(0x303, shared)
    cases["hello of SSL 2, its own suites"] = [old_hello(0x303, own)]
    cases["hello of SSL 2, no suites"] = [old_hello(0x303, b"")]
    cases["hello of SSL 2, part of a suite"] = [old_hello(0x303, shared + b"\0")]
    cases["hello of SSL 2, a session"] = [old_hello(0x303, shared, b"s" * 16)]
    cases["hello of SSL 2, a long session"] = [old_hello(0x303, shared, b"s" * 40)]
    cases["hello of SSL 2, a long challenge"] = [old_hello(0x303, shared, b"", b"c" * 40)]
    cases["hello of SSL 2, too short"] = [old_hello(0x303, shared, lie=-5)]
    cases["hello of SSL 2, too long"] = [old_hello(0x303, shared, lie=5) + b"abcde"]
    cases["hello of SSL 2, tiny"] = [b"\x80\x08\x01\x03\x03aaaaa"]
    cases["hello of SSL 2, large"] = [b"\xc0\x01\x01\x03\x03" + b"a" * 16_382]
    cases["hello of SSL 2, another message"] = [last[:2] + b"\x04" + last[3:]]
    for count in (1, 2, 3, 5, 10):
        cases[f"hello of SSL 2, {count} octets"] = [last[:count]]
    cases["end at once"] = [FIN]
    cases["end in the hello"] = [slice(0, 200), FIN]
    cases["end after the hello"] = [HELLO, 0.4, FIN]
    return cases


def slow():
    """Clients that stop somewhere, and such as go on by an octet every ten seconds."""
    page = "GET /none HTTP/1.1\r\nHost: nav-1\r\n\r\n"
    half_record = header(23, 64) + b"abc"
    cases = {f"{count} octets": [slice(0, count)] for count in (1, 3, 5, 6, 200)}
    cases["hello"] = [HELLO]
    cases["hello in drops"] = slowly([slice(0, 200)], [slice(at, at + 1) for at in range(200, 212)])
    cases["hello in drops from the start"] = slowly([], [slice(at, at + 1) for at in range(12)])
    cases["hello and changes"] = [HELLO, 0.4, header(20, 1) + b"\x01"]
    cases["handshake"] = ["hands"]
    cases["handshake, half a record"] = ["hands", half_record]
    cases["handshake, half a header"] = ["hands", half_record[:2]]
    cases["handshake, half a request"] = ["hands", "GET / HT"]
    cases["handshake, a request in drops"] = slowly(["hands"], list("GET / HTTP/1.1"))
    cases["handshake, half a body"] = ["hands", "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"]
    cases["page"] = ["hands", page]
    cases["page, half a record"] = ["hands", page, 1, half_record]
    cases["page, half a request"] = ["hands", page, 1, "GET / HT"]
    return cases


def main():
    cases = {}
    for name, steps in (quick() if MODE == "quick" else slow()).items():
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        for version in versions if HELLO in steps or "hands" in steps else versions[1:]:
            cases[f"{version.name} {name}"] = (version, steps)
    told, left = {}, list(cases.items())

    def work(name, version, steps):
        try:
            told[name] = Client(version).run(steps)
        except Exception as error:  # pylint: disable=broad-except
            told[name] = [(0, repr(error))]

    while left:
        threads = [threading.Thread(target=work, args=(name, *case)) for name, case in left[:AT_ONCE]]
        left = left[AT_ONCE:]
        for step in (threading.Thread.start, threading.Thread.join):
            for thread in threads:
                step(thread)
    for name in cases:
        print(name, *(f"{second:.1f} {what}" for second, what in told[name]), sep="\t")


main()

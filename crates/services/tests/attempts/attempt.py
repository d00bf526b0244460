"""One login by a client library: `attempt.py LIBRARY METHOD PORT KEY`; user and secret come in hexadecimal by USER and
SECRET, so that they may be any octets. Says `in` or `refused`; anything else is a fault of the client."""

import asyncio
import ctypes
import os
import sys

LIBRARY, METHOD, PORT, KEY = sys.argv[1:5]
#: Of libssh/libssh.h: options of a session, and results of a login.
HOST, PORT_NUMBER, LOGIN, PROCESS_CONFIG = 0, 1, 4, 38
SUCCESS, INFO, ERROR = 0, 3, -1
USER, SECRET = (bytes.fromhex(os.environ[name]) for name in ("USER_HEX", "SECRET_HEX"))


def paramiko():
    import paramiko

    transport = paramiko.Transport(("127.0.0.1", int(PORT)))
    transport.start_client(timeout=20)
    transport.auth_timeout = 20
    try:
        if METHOD == "password":
            # Without the second attempt of its own, by questions.
            transport.auth_password(USER, SECRET, fallback=False)
        elif METHOD == "publickey":
            transport.auth_publickey(USER, paramiko.Ed25519Key.from_private_key_file(KEY))
        else:
            transport.auth_interactive(USER, lambda title, text, prompts: [SECRET for _ in prompts])
        return transport.is_authenticated()
    except (paramiko.AuthenticationException, paramiko.ssh_exception.BadAuthenticationType):
        return False
    finally:
        transport.close()


def asyncssh():
    import asyncssh

    class Client(asyncssh.SSHClient):
        asked = False

        def kbdint_auth_requested(self):
            first, self.asked = not self.asked, True
            return "" if METHOD == "keyboard-interactive" and first else None

        def kbdint_challenge_received(self, name, instructions, lang, prompts):
            return [SECRET.decode() for _ in prompts]

    async def login():
        options = {"known_hosts": None, "username": USER.decode(), "agent_path": None, "config": None, "client_keys": None}
        options["preferred_auth"] = METHOD
        if METHOD == "password":
            options["password"] = SECRET.decode()
        elif METHOD == "publickey":
            options["client_keys"] = [KEY]
        options["client_factory"] = Client
        try:
            async with asyncssh.connect("127.0.0.1", int(PORT), **options):
                return True
        except asyncssh.PermissionDenied:
            return False

    return asyncio.run(login())


def libssh():
    ssh = ctypes.CDLL("libssh.so.4")
    for name in ("ssh_new", "ssh_userauth_kbdint_getanswer"):
        getattr(ssh, name).restype = ctypes.c_void_p
    ssh.ssh_get_error.restype = ctypes.c_char_p
    session = ctypes.c_void_p(ssh.ssh_new())
    port, own_configuration = ctypes.c_uint(int(PORT)), ctypes.c_bool(False)
    options = [
        (HOST, ctypes.c_char_p(b"127.0.0.1")),
        (PORT_NUMBER, ctypes.byref(port)),
        (LOGIN, ctypes.c_char_p(USER)),
        (PROCESS_CONFIG, ctypes.byref(own_configuration)),
    ]
    for option, value in options:
        assert ssh.ssh_options_set(session, option, value) == 0
    assert ssh.ssh_connect(session) == 0, ssh.ssh_get_error(session)
    if METHOD == "password":
        done = ssh.ssh_userauth_password(session, None, ctypes.c_char_p(SECRET))
    elif METHOD == "publickey":
        key = ctypes.c_void_p()
        assert ssh.ssh_pki_import_privkey_file(KEY.encode(), None, None, None, ctypes.byref(key)) == 0
        done = ssh.ssh_userauth_publickey(session, None, key)
    else:
        done = ssh.ssh_userauth_kbdint(session, None, None)
        while done == INFO:
            for prompt in range(ssh.ssh_userauth_kbdint_getnprompts(session)):
                ssh.ssh_userauth_kbdint_setanswer(session, prompt, ctypes.c_char_p(SECRET))
            done = ssh.ssh_userauth_kbdint(session, None, None)
    assert done != ERROR, ssh.ssh_get_error(session)
    return done == SUCCESS


print("in" if {"paramiko": paramiko, "asyncssh": asyncssh, "libssh": libssh}[LIBRARY]() else "refused")

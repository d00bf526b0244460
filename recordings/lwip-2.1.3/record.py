#!/usr/bin/python3
"""Builds a device of lwIP alone (device.c) and records how it answers, by the measurements of linux-6.18/record.py.

Needs what that needs, gcc, and the source of lwIP 2.1.3: https://savannah.nongnu.org/projects/lwip/, or Debian 12's
source package `lwip`. Takes about three minutes. Usage: record.py LWIP-SOURCE OUTPUT-DIRECTORY
"""
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scapy.all as scapy

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("linux", HERE.parent / "linux-6.18" / "record.py")
linux = importlib.util.module_from_spec(spec)
sys.argv[1:], WORDS = [], sys.argv[1:]
spec.loader.exec_module(linux)
linux.scapy = scapy
scapy.conf.verb = 0


def compile_device(source, into):
    core = source / "src"
    files = [*sorted(core.glob("core/*.c")), *sorted(core.glob("core/ipv4/*.c")), core / "netif/ethernet.c"]
    subprocess.run(["gcc", "-O1", "-w", "-I", HERE, "-I", core / "include", HERE / "device.c", *files, "-o", into], check=True)


def prepare():
    """What differs from the kernel: the device has its own neighbour table, which an ARP request fills."""
    for address in (linux.GHOST, "10.77.0.33"):
        linux.Wire().send(scapy.ARP(op=1, hwsrc=linux.MAC_SCANNER, psrc=address, pdst=linux.TARGET))
    time.sleep(0.5)


def main():
    out = Path(WORDS[1]).resolve()
    if len(WORDS) > 2:
        linux.TAG, linux.NS_TARGET, linux.NS_SCANNER = WORDS[2], f"{WORDS[2]}t", f"{WORDS[2]}s"
        run, linux.run = linux.run, lambda *words, **named: "" if words[:2] == ("ip", "-n") else run(*words, **named)
        prepare()
        linux.inside(out)
        return
    device = None
    with tempfile.TemporaryDirectory() as folder:
        compile_device(Path(WORDS[0]), f"{folder}/device")
        try:
            linux.build()
            # The kernel of that namespace keeps out of it.
            linux.run("ip", "-n", linux.NS_TARGET, "addr", "flush", "dev", "e0")
            words = ["ip", "netns", "exec", linux.NS_TARGET, f"{folder}/device", "e0", linux.TARGET, "255.255.255.0"]
            device = subprocess.Popen(words)
            time.sleep(0.5)
            subprocess.run(["ip", "netns", "exec", linux.NS_SCANNER, sys.executable, __file__, WORDS[0], out, linux.TAG],
                           check=True, timeout=400)
        finally:
            if device:
                device.kill()
                device.wait()
            linux.tear_down()


main()

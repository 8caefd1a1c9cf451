# SPDX-License-Identifier: GPL-2.0-or-later
"""nsd, authoritative for test zones, on a free loopback port, without root.

    with Dns({"b.example": "@ MX 10 mx\\nmx A 127.0.0.1\\n"}) as dns:
        dns.address, dns.port
        dns.set("b.example", "@ MX 0 .\\n")     # replaces the zone

A zone is what stands behind its SOA and NS, which are added; TTLs are 1 s unless a line says
otherwise. A name under no zone gets REFUSED, which a resolver reports as SERVFAIL; with root=True
(the default) an empty root zone makes it NXDOMAIN instead.

    with Dns(zones, signed=["b.example"]) as dns:         # a signed root, whose key is
        dns.anchor                                        # a DS record as text

With `signed`, those zones and the root are signed and each zone is delegated from the nearest one
above it, so what is not named there is provably unsigned. tamper={"b.example": ("old", "new")}
changes the text of a zone after it was signed: what it touches is bogus.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_SOA = """$ORIGIN {origin}
$TTL 1
@ SOA ns.{origin} hostmaster.{origin} {serial} 3600 600 86400 1
@ NS ns.{origin}
ns A 127.0.0.1
"""


class Dns:
    def __init__(self, zones, address="127.0.0.1", root=True, command=None, port=None,
                 signed=None, tamper=None):
        """command: wraps argv (a namespace's Host.command); port: fixed, for use in one."""
        self.address = address
        self._zones = dict(zones)
        if root:
            self._zones.setdefault(".", "")
        self.anchor = ""
        self.tamper = dict(tamper or {})
        self._signed = None if signed is None else {*signed, "."}
        self._keys = {}
        self._wrap = command or (lambda argv: argv)
        self._folder = tempfile.mkdtemp(prefix="gatepost-dns-")
        self._serial = 1
        self._proc = None
        for attempt in range(20):
            self.port = port or _free_port(address)
            if self._start():
                return
        raise RuntimeError("nsd did not start: " + self._log())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def set(self, zone, text):
        """Replaces or adds a zone, and returns once it is served."""
        self._zones[zone] = text
        self._halt()
        self._serial += 1
        for attempt in range(50):
            if self._start():
                return
            time.sleep(0.1)
        raise RuntimeError("nsd did not start again: " + self._log())

    def stop(self):
        self._halt()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- inside ------------------------------------------------------------------------------

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _write(self):
        conf = """server:
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: ""
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  cookie-secret-file: ""
  server-count: 1
  round-robin: no
remote-control:
  control-enable: no
""".format(address=self.address, port=self.port, folder=self._folder)
        for index, (zone, text) in enumerate(sorted(self._zones.items())):
            origin = zone if zone.endswith(".") else zone + "."
            head = _SOA.format(origin=origin, serial=self._serial)
            if origin == ".":
                head = head.replace("ns..", "ns.").replace("hostmaster..", "hostmaster.")
            with open(self._path("%d.zone" % index), "w") as f:
                f.write(head + text + "\n" + self._delegations(origin))
            if self._signed and zone in self._signed:
                self._sign(zone, origin, "%d.zone" % index)
            conf += 'zone:\n  name: "%s"\n  zonefile: "%d.zone"\n' % (zone, index)
        with open(self._path("nsd.conf"), "w") as f:
            f.write(conf)

    # -- signing, by ldns ----------------------------------------------------------------------

    def _parent(self, origin):
        """The zone that is nearest above."""
        above = [o for o in (z if z.endswith(".") else z + "." for z in self._zones)
                 if o != origin and (o == "." or origin.endswith("." + o))]
        return max(above, key=len, default=None)

    def _delegations(self, parent):
        """What a signed tree needs: NS of each zone below, and DS of those that are signed."""
        if not self._signed:
            return ""
        text = ""
        for zone in self._zones:
            origin = zone if zone.endswith(".") else zone + "."
            if origin == "." or self._parent(origin) != parent:
                continue
            text += "%s NS ns.%s\nns.%s A 127.0.0.1\n" % (origin, origin, origin)
            if zone in self._signed:
                text += self._key(origin)[1] + "\n"
        return text

    def _key(self, origin):
        """(name of the key's files, DS)"""
        if origin not in self._keys:
            name = self._run("ldns-keygen", "-a", "ECDSAP256SHA256", origin).strip()
            self._keys[origin] = name, self._run("ldns-key2ds", "-f", "-n", "-2", name + ".key").strip()
            if origin == ".":
                self.anchor = re.sub(r"\s+", " ", self._keys[origin][1])
        return self._keys[origin]

    def _sign(self, zone, origin, file):
        self._run("ldns-signzone", "-i", "20200101", "-e", "20370101", "-o", origin,
                  "-f", file + ".signed", file, self._key(origin)[0])
        with open(self._path(file + ".signed")) as f:
            text = f.read()
        old, new = self.tamper.get(zone, ("", ""))
        assert old in text, "%r is not in the zone %s" % (old, zone)
        with open(self._path(file), "w") as f:
            f.write(text.replace(old, new) if old else text)

    def _run(self, *argv):
        done = subprocess.run(argv, cwd=self._folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (" ".join(argv), done.stderr))
        return done.stdout

    # -- nsd -----------------------------------------------------------------------------------

    def _start(self):
        self._write()
        with open(self._path("log"), "w") as log:
            self._proc = subprocess.Popen(
                self._wrap(["setpriv", "--pdeathsig", "KILL", "/usr/sbin/nsd", "-d", "-c",
                            self._path("nsd.conf")]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._proc.poll() is not None:
                return False
            if "nsd started" in self._log():
                return True
            time.sleep(0.02)
        self._halt()
        return False

    def _halt(self):
        if not self._proc:
            return
        try:
            self._proc.terminate()  # nsd ends its children itself
            self._proc.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._proc.pid, signal.SIGKILL)
            self._proc.wait()
        self._proc = None

    def _log(self):
        try:
            with open(self._path("log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""


def _free_port(address):
    """A port that is free for UDP and TCP alike."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.bind((address, 0))
            port = tcp.getsockname()[1]
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((address, port))
                except OSError:
                    continue
                return port

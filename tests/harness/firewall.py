# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall and network code at work in one host, through tests/netns/fwload.c.

    with Net() as net:
        gate = net.host("gate")
        fw = Firewall(gate, tmp_path)
        fw.net(CONFIG)          # addresses, routes, sysctls
        fw.apply(CONFIG)        # the ruleset
        assert fw.verify(CONFIG) == ""
"""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "output" / ("build-sanitize" if os.environ.get("SANITIZE") else "build")
FWLOAD = BUILD / "netns" / "fwload"


class Refused(Exception):
    """An order failed; the message is what was said."""


class Firewall:
    def __init__(self, host, directory, wrap=()):
        """wrap: a command that runs fwload, as setpriv does."""
        self.host = host
        self.directory = Path(directory)
        self.configs = 0
        self.process = host.popen([*wrap, FWLOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, cwd=ROOT)

    def order(self, line):
        """True or False, and what was said."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = []
        for answer in iter(self.process.stdout.readline, ""):
            if answer in ("ok\n", "failed\n"):
                return answer == "ok\n", "".join(said)
            said.append(answer)
        raise AssertionError(f"fwload ended: {''.join(said)}")

    def file(self, config):
        """The path of a config given as text; a Path stays as it is."""
        if isinstance(config, Path):
            return config
        self.configs += 1
        path = self.directory / f"{self.host.name}-{self.configs}.conf"
        path.write_text(config)
        return path

    def _do(self, verb, config):
        ok, said = self.order(f"{verb} {self.file(config)}")
        if not ok:
            raise Refused(said)
        return said

    def has_flowtable(self):
        """Whether established flows take the short way on this kernel."""
        return self.order("flowtable")[0]

    def apply(self, config):
        self._do("apply", config)

    def cut(self, config):
        """The number of flows cut."""
        return int(self._do("cut", config))

    def net(self, config):
        self._do("net", config)

    def undo(self):
        ok, said = self.order("undo")
        assert ok, said

    def verify(self, config):
        """What differs in the ruleset; "" when nothing does."""
        ok, said = self.order(f"verify {self.file(config)}")
        assert ok == (said == ""), said
        return said

    def check(self, config):
        """What differs in the network; "" when nothing does."""
        ok, said = self.order(f"check {self.file(config)}")
        assert ok == (said == ""), said
        return said

    def allows(self, config, source, to, proto, port):
        ok, said = self.order(f"allows {self.file(config)} {source} {to} {proto} {port}")
        return ok, said.strip()

    def counter(self, name):
        """Packets counted under this name."""
        listing = self.host.run(["nft", "-j", "list", "counter", "inet", "gatepost", name]).stdout
        return next(o["counter"]["packets"] for o in json.loads(listing)["nftables"]
                    if "counter" in o)


def listing(host, table=("inet", "gatepost")):
    """A table as nft shows it, without what the kernel or the number of commits chose: a list of
    objects in an order that does not depend on it, each chain with its rules."""
    text = host.run(["nft", "-j", "list", "table", *table]).stdout
    text = re.sub(r'(?<=[A-Za-z0-9])-[0-9]+(?=")', "-G", text)
    objects, chains = [], {}
    for entry in json.loads(text)["nftables"]:
        kind, value = next(iter(entry.items()))
        if kind == "metainfo":
            continue
        for key in ("handle", "packets", "bytes"):
            value.pop(key, None)
        if "elem" in value:
            value["elem"].sort(key=lambda e: json.dumps(e, sort_keys=True))
        if kind == "flowtable":
            value["dev"] = sorted([value["dev"]] if isinstance(value["dev"], str) else value["dev"])
        if value.get("flags") and "dynamic" in value["flags"]:
            value.pop("elem", None)
        if kind == "rule":
            chains[value["chain"]].append(value["expr"])
        elif kind == "chain":
            chains[value["name"]] = value["rules"] = []
            objects.append((kind, value))
        else:
            objects.append((kind, value))
    return sorted(json.dumps(o, sort_keys=True) for o in objects)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Rearranging the candidate, and whole configs that come in: by file, by pipe, by paste."""
import os
import pty
import subprocess
import threading

import pytest

from tests.netns.gate import SITE, Gate, until


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Gate(tmp_path) as gate:
        yield gate


def test_rename_takes_along_who_refers_to_it(gate):
    gate.do("configure; set servers web1 allow rdp tcp 3389; set servers web1 allow rdp from office; "
            "commit")
    out = gate.do("configure; rename groups office to hq; show | compare; commit")
    assert out.startswith("1 reference to it changed too\n")
    assert gate.do("show configuration servers web1 allow rdp from") == "from hq;\n"
    assert "hq {" in gate.do("show configuration groups")


def test_copy_insert_annotate(gate):
    out = gate.do("""configure
copy servers web1 to web2
delete servers web2 address
set servers web2 address 203.0.113.11
set system name-server [ 192.0.2.54 192.0.2.55 ]
insert system name-server 192.0.2.55 before 192.0.2.53
insert system name-server 192.0.2.54 after 192.0.2.55
annotate servers web2 "the second; rack 4"
show servers
commit""")
    assert "# the second; rack 4\nweb2 {\n    address 203.0.113.11;\n" in out
    assert "name-server [ 192.0.2.55 192.0.2.54 192.0.2.53 ];" in \
        gate.do("show configuration system")
    assert "# the second; rack 4" in gate.config.read_text()


def test_comment_alone_is_a_change_that_is_not_lost_unasked(gate):
    got = gate.cli("-c", 'configure; annotate servers web1 "new"; exit')
    assert got.returncode == 1 and "'discard' forgets them" in got.stderr
    gate.do('configure; annotate servers web1 "new"; commit')
    assert "    # new\n    web1 {\n" in gate.do("show configuration")


@pytest.mark.parametrize("command, status, says", [
    ("rename servers web1", 2, "as in: rename servers web1 to web2"),
    ("rename servers web7 to web8", 1, "not set: servers web7"),
    ("rename servers web1 to web/1", 1, '"web/1": a name begins with'),
    ("copy servers web1 to web1", 1, "a server of the name web1 already"),
    ("insert groups office 192.0.2.0/24 before 10.0.0.0/8", 1, "order of member means nothing"),
    ("insert system name-server 192.0.2.53 before 192.0.2.99", 1, '"192.0.2.99": not there'),
    ("annotate servers web9 x", 1, "not set: servers web9"),
    ("rename nowhere x to y", 2, '"nowhere": not known here'),
])
def test_what_cannot_be_rearranged_is_said(gate, command, status, says):
    before = gate.files()
    got = gate.cli("-c", f"configure; {command}")
    assert got.returncode == status and says in got.stderr
    assert gate.files() == before


# ---- load ----

def test_config_from_standard_input_in_one_go_and_within_a_script(gate):
    new = SITE.replace("gw1", "gw7")
    got = gate.cli("load", "-", "comment", "by pipe", stdin=new)
    assert got.returncode == 0 and "revision 2 is in force" in got.stdout
    assert gate.ask("status")["host"] == "gw7"
    got = gate.cli("load", "-", stdin=new.replace("tcp 80,443", "tcp 0"))
    assert got.returncode == 1 and '"0": 0 is not a port' in got.stderr
    script = f"configure\nload -\n{SITE}\x04\ncommit\n"
    assert gate.cli(stdin=script).returncode == 0 and gate.ask("status")["host"] == "gw1"


def test_merge_adds_and_replaces_but_takes_nothing_away(gate, tmp_path):
    more = tmp_path / "more"
    more.write_text("set servers web1 allow http tcp 8080\nset servers web9 address 203.0.113.19\n")
    gate.do(f"configure; load merge {more}; commit")
    shown = gate.do("show configuration servers")
    assert "tcp 8080;" in shown and "from any;" in shown and "web9 {" in shown


# A DMZ with room for more servers.
WIDE = SITE.replace("address 203.0.113.1/26;", "address [ 203.0.113.1/26 10.255.255.1/8 ];")


def big_site(servers):
    many = "".join(f"    s{i} {{ # server number {i}\n        address 10.{i >> 8}.{i & 255}.1;\n"
                   f"        allow http {{\n            tcp 80,443;\n            from office;\n"
                   "        }\n    }\n" for i in range(servers))
    return WIDE.replace("servers {\n", "servers {\n" + many)


class Keyboard:
    """gatepost at a pty, its output read all the time, as a terminal does."""

    def __init__(self, gate):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(gate.command(), stdin=theirs, stdout=theirs, stderr=theirs,
                                        env=dict(os.environ, TERM="dumb"), start_new_session=True)
        os.close(theirs)
        self.screen = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := os.read(self.ours, 65536):
                self.screen += data
        except OSError:
            pass

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.ours, data):]

    def wait(self, text, seconds=20):
        try:
            until(lambda: text.encode() in self.screen, seconds)
        except AssertionError:
            raise AssertionError(self.screen[-2000:].decode("utf-8", "replace")) from None

    def __enter__(self):
        self.wait("> ")
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()


def test_pasted_config_arrives_to_the_last_byte(gate):
    """As fast as the terminal takes it, which is faster than any serial line."""
    site = big_site(2000)
    with Keyboard(gate) as me:
        me.send("configure\rload terminal\r")
        me.wait("Ctrl-D ends it")
        me.send(site.replace("\n", "\r") + "\x04")
        me.wait(f"{site.count(chr(10))} lines, {len(site)} bytes")
        me.send("commit\r")
        me.wait("revision 2 is in force")
    text = gate.ask("config")["text"]
    assert "# server number 1999" in text and text.count("address 10.") == 2000


def test_set_lines_pasted_at_the_prompt_arrive_too(gate):
    lines = "".join(f"set servers s{i} address 10.0.{i >> 8}.{i & 255}\r" for i in range(300))
    with Keyboard(gate) as me:
        me.send("configure\rset interfaces dmz address 10.255.255.1/8\r" + lines + "commit\r")
        me.wait("revision 2 is in force")
    assert gate.ask("config")["text"].count("address 10.0.") == 300


def test_paste_that_is_given_up_or_wrong_changes_nothing(gate):
    with Keyboard(gate) as me:
        me.send("configure\rload terminal\r")
        me.wait("Ctrl-D ends it")
        me.send("system { host-name gw9; }\r\x03")
        me.wait("given up")
        me.send("load terminal\r")
        until(lambda: me.screen.count(b"Ctrl-D ends it") == 2)
        me.send("system { host-nam gw9; }\r\x04")
        me.wait("the candidate is what it was")
        me.send("show system host-name\r")
        me.wait("host-name gw1;")

# SPDX-License-Identifier: GPL-2.0-or-later
"""gatepost for somebody at a terminal of 80x24 that can do nothing: Tab, ?, paging, Ctrl-C."""
import os
import re

import pexpect
import pytest

from tests.netns.gate import ROOT, SITE, Gate

TERMINALS = ["dumb", "vt100"]


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Gate(tmp_path) as gate:
        yield gate


class Person:
    def __init__(self, gate, term="dumb"):
        env = dict(os.environ, TERM=term)
        command = gate.command()
        self.p = pexpect.spawn(command[0], command[1:], env=env, dimensions=(24, 80), timeout=20,
                               encoding="utf-8")
        self.prompt(">")

    def prompt(self, mark):
        """What was printed up to the prompt, with a press of the space bar at each screenful."""
        said = ""
        while self.p.expect([rf"@[\w.-]+{mark} ", "--more--"]):
            said += self.p.before
            self.p.send(" ")
        said += self.p.before
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "")

    def do(self, line, mark=">"):
        self.p.sendline(line)
        return self.prompt(mark)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.close(force=True)


@pytest.mark.parametrize("term", TERMINALS)
def test_first_change_at_the_keyboard(gate, term):
    with Person(gate, term) as admin:
        admin.do("configure", "#")
        admin.do("edit servers web1", "#")
        admin.do("set allow ssh tcp 22", "#")
        assert "[servers web1]" in admin.do("set allow ssh from office", "#")
        assert "+   allow ssh {" in admin.do("show | compare", "#")
        assert "revision 2 is in force" in admin.do("commit", "#")
        admin.do("exit", "#")
        admin.do("exit")
        admin.p.sendline("exit")
        admin.p.expect(pexpect.EOF)
    assert "tcp 22;" in gate.ask("config")["text"]


def test_mistake_leaves_the_candidate_for_mending(gate):
    with Person(gate) as admin:
        admin.do("configure", "#")
        admin.do("set servers web1 allow http from offce", "#")
        said = admin.do("commit", "#")
        assert "nothing was changed" in said and '"offce"' in said and 'did you mean "office"?' in said
        admin.do("delete servers web1 allow http from offce", "#")
        admin.do("set servers web1 allow http from office", "#")
        assert "revision 2 is in force" in admin.do("commit", "#")


def test_tab_completes_commands_config_words_and_names(gate):
    with Person(gate) as admin:
        admin.p.send("configu\t")
        admin.p.expect("configure ")
        admin.p.send("\r")
        admin.prompt("#")
        admin.p.send("set serve\twe\tall\thttp\tfrom off\t")
        admin.p.expect("from office ")
        admin.p.send("\r")
        admin.prompt("#")
        assert "from [ any office ];" in admin.do("show servers web1 allow http", "#")


def test_tab_lists_what_may_stand_when_there_is_a_choice(gate):
    with Person(gate) as admin:
        admin.do("configure", "#")
        admin.p.send("set servers web1 allow http \t")
        listed = admin.prompt("#")
        assert re.search(r"tcp +TCP destination ports", listed)
        assert re.search(r"from +Who may reach it", listed)
        admin.p.send("li\t")
        admin.p.expect("limit ")
        admin.p.send("\t")
        assert "<a rate: 20/second" in admin.prompt("#")
        admin.p.sendcontrol("u")


def test_question_mark_helps_and_inside_quotes_is_a_character(gate):
    with Person(gate) as admin:
        admin.p.send("show ?")
        listed = admin.prompt(">")
        assert re.search(r"interfaces +Ports, their addresses", listed)
        assert re.search(r"relay +The mail relay", listed)
        admin.p.sendcontrol("u")
        admin.do("configure", "#")
        admin.p.send("delete servers web1 allow ?")
        assert "http" in admin.prompt("#")
        admin.p.sendcontrol("u")
        admin.p.send('commit comment "why?"\r')
        admin.prompt("#")
    assert gate.ask("revisions")["rows"][0]["comment"] in ("why?", "found at start")


def test_long_output_stops_at_each_screenful(gate):
    many = "".join(f"    s{i} {{ address 203.0.113.{i}; }}\n" for i in range(11, 60))
    assert gate.commit(SITE.replace("servers {\n", "servers {\n" + many))["ok"]
    with Person(gate) as admin:
        admin.p.sendline("show configuration")
        admin.p.expect("--more--")
        assert admin.p.before.count("\n") == 1 + 23  # the command's own line, then a screen but one
        admin.p.send("\r")
        admin.p.expect("--more--")
        assert admin.p.before.count("\n") == 1
        admin.p.send(" ")
        admin.p.expect("--more--")
        assert admin.p.before.count("\n") == 23
        admin.p.send("q")
        admin.prompt(">")
        admin.p.sendline("show configuration | no-more")
        assert admin.p.expect(["@gw1> ", "--more--"]) == 0
        assert admin.p.before.count("address 203.0.113.") == 51


def test_ctrl_c_drops_the_line_and_ends_what_runs(gate):
    with Person(gate) as admin:
        admin.p.send("show nonsense")
        admin.p.expect("nonsense")
        admin.p.sendcontrol("c")
        admin.prompt(">")
        admin.p.sendline("ping 127.0.0.1 count 100")
        admin.p.expect("seq=")
        admin.p.sendcontrol("c")
        assert "interrupted" in admin.prompt(">")
        assert "KERNEL" in admin.do("show version")


def test_leaving_with_changes_is_asked_about(gate):
    with Person(gate) as admin:
        admin.do("configure", "#")
        admin.do("set system host-name gw9", "#")
        assert "'discard' forgets them" in admin.do("exit", "#")
        admin.p.sendcontrol("d")
        assert "once more leaves without them" in admin.prompt("#")
        admin.p.sendcontrol("d")
        admin.p.expect(pexpect.EOF)
    assert gate.ask("status")["host"] == "gw1"


def test_alarms_are_shown_at_login_and_a_waiting_commit_at_each_prompt(gate):
    assert gate.commit(SITE.replace("gw1", "gw2"), confirm=3600)["ok"]
    env = dict(os.environ, TERM="dumb")
    command = gate.command()
    p = pexpect.spawn(command[0], command[1:], env=env, dimensions=(24, 80), timeout=20,
                      encoding="utf-8")
    p.expect("! commit not confirmed")
    p.expect(r"\(revision 2 is undone in \d+ s; 'confirm' keeps it\)")
    p.expect("@gw2> ")
    p.sendline("confirm")
    p.expect("revision 2 is confirmed and kept")
    p.close(force=True)


def test_gatepostd_that_goes_away_and_comes_back(gate):
    with Person(gate) as admin:
        gate.kill()
        assert "gatepostd does not answer" in admin.do("show version")
        gate.start()
        assert "KERNEL" in admin.do("show version")


def test_the_guide_s_commands_do_what_it_says(tmp_path):
    """docs/cli.md from its beginning to its end, as a newcomer would type it on a new box."""
    guide = (ROOT / "docs" / "cli.md").read_text()
    typed = re.findall(r"^    admin@gatepost([>#]) (.*)$", guide, re.M)
    assert len(typed) > 25
    factory = (ROOT / "board" / "qemu-x86_64" / "gatepost.conf").read_text()
    with Gate(tmp_path, config=factory) as gate, Person(gate) as admin:
        mark, said = ">", ""
        for want, line in typed:
            if want != mark:
                admin.do("configure" if want == "#" else "exit", want)
            mark = {"configure": "#", "exit": ">"}.get(line, want)
            admin.p.sendline(line)
            if line.startswith("system certificate"):
                admin.p.expect("nothing is echoed")
                admin.p.sendcontrol("c")
            said = admin.prompt(mark)
            for wrong in ("not known here\n", "could be", "more is needed", "may follow here"):
                assert wrong not in said, f"{line}: {said}"
            if line == "commit" and "offce" in said:
                refused = re.search(r"    line 27: .*\n.*from offce;", guide).group(0)
                assert "".join(refused.split()) in "".join(said.split())
        assert "web1" in gate.ask("config", revision=2)["text"]

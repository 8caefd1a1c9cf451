# SPDX-License-Identifier: GPL-2.0-or-later
"""Users of the config: accounts of the machine, roles at the control socket, the audit log."""
import json
import shutil
import stat

import pytest

from tests.harness.net import Net
from tests.netns.gate import BUILD, MODEL, SITE, Gate

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIo7vRsc0wQn5n2yF3mYVYyPqMcl4nGQ0J2m7pW2k1aB a@b"
HASH = "$y$j9T$GmzD5MVWUVoUTLVBgsxTU/$ZbdpnXMCkqoQxkLo8MPKDYv1AOFgwNZa5Gv0yiHJrr6"
PASSWD = """\
root:x:0:0:root:/root:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
admin:x:1000:1000:admin:/config/admin:/bin/sh
"""
SHADOW = "root:!*:19000:0:99999:7:::\nadmin:$6$first:19000:0:99999:7:::\n"
GROUP = "root:x:0:\ntty:x:5:\nadmin:x:1000:\n"
USERS = f"""\
    user alice {{
        role admin;
        password "{HASH}";
        key "{KEY}";
    }}
    user bob {{
        key "{KEY}";
    }}
"""


COMMIT = """
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/mnt/control.sock")
s.sendall(b'{"verb": "commit", "text": ""}\\n')
print(s.makefile().readline())
"""


def site(users):
    return SITE.replace("    name-server", users + "    name-server", 1)


def accounts(etc):
    return {name: (etc / name).read_text() for name in ("passwd", "shadow", "group")}


@pytest.fixture(name="etc")
def _etc(tmp_path):
    etc = tmp_path / "etc"
    etc.mkdir()
    for name, text in (("passwd", PASSWD), ("shadow", SHADOW), ("group", GROUP)):
        (etc / name).write_text(text)
    return etc


@pytest.fixture(name="gate")
def _gate(tmp_path, etc):
    with Gate(tmp_path, options=["--etc", str(etc), "--homes", str(tmp_path / "homes")]) as gate:
        yield gate


def test_users_become_accounts_and_go_again(gate, etc, tmp_path):
    before = accounts(etc)
    assert gate.commit(site(USERS))["ok"]
    passwd = (etc / "passwd").read_text()
    assert passwd.startswith(PASSWD)
    homes = tmp_path / "homes"
    shell = "/usr/libexec/gatepost/session"
    assert f"alice:x:2001:2000:alice:{homes}/alice:{shell}\n" in passwd
    assert f"bob:x:2002:2000:bob:{homes}/bob:{shell}\n" in passwd
    shadow = (etc / "shadow").read_text()
    assert f"alice:{HASH}:" in shadow and "bob:!*:" in shadow and "admin:$6$first:" in shadow
    assert stat.S_IMODE((etc / "shadow").stat().st_mode) == 0o600
    assert stat.S_IMODE((etc / "passwd").stat().st_mode) == 0o644
    group = (etc / "group").read_text()
    assert "admin:x:1000:alice\n" in group and "operator:x:2000:admin\n" in group
    keys = homes / "alice" / ".ssh" / "authorized_keys"
    assert keys.read_text() == KEY + "\n"
    assert keys.stat().st_uid == 0 and keys.parent.stat().st_uid == 0
    assert (homes / "alice").stat().st_uid == 2001
    # Who stays keeps the id; who comes later has a new one.
    assert gate.commit(site(USERS.replace("alice", "carol")))["ok"]
    passwd = (etc / "passwd").read_text()
    assert "alice" not in passwd and "bob:x:2002:" in passwd and "carol:x:2003:" in passwd
    assert keys.read_text() == ""
    assert gate.commit(SITE)["ok"]
    assert accounts(etc) == before
    assert before["passwd"] == PASSWD and before["shadow"] == SHADOW
    assert before["group"] == GROUP + "operator:x:2000:admin\n"


def test_failed_commit_leaves_the_accounts_as_they_were(gate, etc):
    assert gate.commit(site(USERS))["ok"]
    before = accounts(etc)
    (gate.store / "gatepost.conf.new").mkdir()
    assert not gate.commit(site(USERS.replace("bob", "dave").replace("role admin;", "")))["ok"]
    (gate.store / "gatepost.conf.new").rmdir()
    assert accounts(etc)["shadow"] == before["shadow"] and accounts(etc)["group"] == before["group"]
    assert "dave" not in accounts(etc)["passwd"] and "bob" in accounts(etc)["passwd"]


def test_accounts_that_cannot_be_written_refuse_the_commit_whole(gate, etc):
    before, files = accounts(etc), gate.files()
    (etc / "passwd.new").mkdir()
    answer = gate.commit(site(USERS))
    assert not answer["ok"] and "passwd" in answer["error"]
    assert accounts(etc) == before and gate.files() == files


def test_admin_may_have_keys_and_a_password_of_the_config(gate, etc):
    assert gate.commit(site(f'    user admin {{\n role admin;\n password "{HASH}";\n }}\n'))["ok"]
    assert f"admin:{HASH}:19000" in (etc / "shadow").read_text()
    assert (etc / "passwd").read_text() == PASSWD


@pytest.mark.parametrize("users, says", [
    ("user root { key \"%s\"; }" % KEY, "the box itself uses this name"),
    ("user admin { key \"%s\"; }" % KEY, "admin cannot be an operator"),
    ("user eve { role admin; }", "neither a password nor a key"),
    ("user Eve { }", "a user name begins with a small letter"),
    ("user eve { key \"ssh-dss %s\"; }" % KEY, "not a public SSH key"),
    ("user eve { password secret; }", "password"),
])
def test_refused_users(gate, users, says):
    answer = gate.commit(site(users + "\n"))
    assert not answer["ok"] and says in answer["error"]


def test_hash_of_a_password_is_what_a_user_takes(gate):
    answer = gate.ask("hash", password="correct horse battery")
    assert answer["hash"].startswith("$y$")
    assert gate.commit(site(USERS.replace(HASH, answer["hash"])))["ok"]
    assert "8 to 256 characters" in gate.ask("hash", password="short")["error"]
    assert "correct horse" not in gate.log() + gate.audit_path.read_text()


def test_operator_reads_and_admin_changes(tmp_path, etc):
    """As the users themselves, told apart by the kernel."""
    with Net() as net:
        host = net.host("gate")
        for name in ("nsswitch.conf", "ld.so.cache"):
            shutil.copy(f"/etc/{name}", etc)
        host.run(["mount", "--bind", etc, "/etc"])
        (tmp_path / "run").mkdir()
        host.run(["mount", "--bind", tmp_path / "run", "/mnt"])

        def cli(uid, *words):
            return host.run(["setpriv", f"--reuid={uid}", "--regid=2000", "--init-groups",
                             BUILD / "bin" / "gatepost", "--control", "/mnt/control.sock",
                             "--yang", MODEL, *words], check=False)

        with Gate(tmp_path, config=None, host=host,
                  options=["--etc", "/etc", "--homes", str(tmp_path / "homes")]) as gate:
            (tmp_path / "run").chmod(0o755)
            secret = "system {\n" + USERS + "}\n"
            assert gate.commit(secret)["ok"]
            alice, bob = 2001, 2002
            shown = cli(bob, "show", "configuration")
            assert shown.returncode == 0 and "(hidden)" in shown.stdout and HASH not in shown.stdout
            raw = host.run(["setpriv", f"--reuid={bob}", "--regid=2000", "--init-groups",
                            "/usr/bin/python3",
                            "-c", COMMIT])
            assert "bob may look, but not change" in raw.stdout
            change = "configure; set system host-name gw9; commit"
            refused = cli(bob, "-c", change)
            assert refused.returncode != 0 and "bob may look, but not change" in refused.stderr
            assert gate.ask("status")["host"] != "gw9"
            assert cli(alice, "-c", change).returncode == 0
            assert gate.ask("status")["host"] == "gw9"
            # The role goes with the commit, in sessions that are open too.
            assert gate.commit(secret.replace("role admin", "role operator"))["ok"]
            assert cli(alice, "-c", change.replace("gw9", "gw8")).returncode != 0
            # An account that is gone may not even look.
            assert gate.commit("system { host-name gw7; }\n")["ok"]
            assert cli(alice, "show", "version").returncode != 0
            audit = [json.loads(line) for line in gate.audit_path.read_text().splitlines()]
            assert [a["command"] for a in audit
                    if a["user"] == "bob" and "said" not in a][:2] == \
                ["show configuration", "configure"]
            commits = [(a["user"], a["said"]) for a in audit if a["command"].startswith("commit ")
                       or a["command"] == "commit" and "said" in a]
            assert any(u == "bob" and s.startswith("refused:") for u, s in commits)
            assert any(u == "alice" and s.startswith("revision ") for u, s in commits)


def test_audit_log_shows_who_did_what_and_no_secret(gate):
    gate.do("configure; set relay account acme user acme password \"$y$j9T$abc$defg\"; commit")
    gate.do("show version")
    assert gate.commit(SITE.replace("gw1", "gw2"), comment="new name")["ok"]
    rows = gate.ask("show", what="audit")["rows"]
    said = [(r["user"], r["command"], r.get("said")) for r in rows]
    assert ("root", "show version", None) in said
    assert ("root", "set relay account acme user acme password (hidden)", None) in said
    assert ("root", 'commit comment "new name"', "revision 3") in said
    assert "j9T" not in gate.audit_path.read_text() + gate.log()
    assert "audit: root: show version" in gate.log()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay as one supervised service: its processes, what each may do, how they come and go."""
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.harness.relay import Relay, account, wait_for
from tests.netns.smtp_talk import Talk

ROLES = {"accept", "auth", "spool", "work", "deliver", "http", "report"}
HASH = "$6$saltsalt$" + "x" * 86


@pytest.fixture
def relay(tmp_path):
    with Relay(tmp_path, accounts=[account(user=[{"name": "alice", "password": HASH}])]) as r:
        yield r


def processes(relay):
    return relay.control("status")["processes"]


def status_field(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    raise KeyError(name)


def test_every_role_runs_and_is_ready(relay):
    assert {p["role"] for p in processes(relay)} == ROLES
    assert all(p["ready"] and p["restarts"] == 0 for p in processes(relay))


@pytest.mark.skipif(os.environ.get("SANITIZE") == "1", reason="AddressSanitizer allows no filter")
def test_every_role_is_filtered_and_has_no_capability(relay):
    for p in processes(relay):
        assert status_field(p["pid"], "Seccomp") == "2", p
        assert status_field(p["pid"], "NoNewPrivs") == "1", p
        assert int(status_field(p["pid"], "CapPrm"), 16) == 0, p
        assert int(status_field(p["pid"], "CapEff"), 16) == 0, p


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a process's root directory")
def test_every_role_sees_its_own_directory_alone(relay):
    own = {"spool": "spool", "report": "events", "work": "keys"}
    for p in processes(relay):
        root = os.readlink(f"/proc/{p['pid']}/root")
        if p["role"] in own:
            assert root == str(relay.directory / own[p["role"]])
        else:
            assert root.endswith(".empty") and os.listdir(root) == []


def memory_of(pid):
    """Everything that the process can read of itself and that it wrote."""
    found = b""
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(begin)
                found += mem.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read another process's memory")
@pytest.mark.skipif(os.environ.get("SANITIZE") == "1", reason="AddressSanitizer's maps are too large")
def test_only_auth_ever_holds_a_password_hash(relay):
    holders = {p["role"] for p in processes(relay) if HASH.encode() in memory_of(p["pid"])}
    assert holders == {"auth"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read another process's memory")
@pytest.mark.skipif(os.environ.get("SANITIZE") == "1", reason="AddressSanitizer's maps are too large")
def test_what_speaks_smtp_holds_no_tracking_key(relay):
    secret = (relay.keys / "tracking.keys").read_text().split()[1]
    for p in processes(relay):
        held = memory_of(p["pid"])
        holds = secret.encode() in held or bytes.fromhex(secret) in held
        assert holds == (p["role"] in ("work", "http")), p["role"]


def descriptors(pid):
    kinds = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        kinds.add(target.split(":")[0] if ":" in target else target)
    return kinds


def test_descriptors_are_those_of_the_duty(relay):
    common = {"/dev/null", str(relay.log_path), "socket", "anon_inode",
              str(relay.directory / "spool" / "lock"), "pipe"}
    for p in processes(relay):
        extra = descriptors(p["pid"]) - common
        inside = {"spool": str(relay.directory / "spool"), "work": str(relay.directory),
                  "deliver": str(relay.directory / "spool"),
                  "report": str(relay.directory / "events")}.get(p["role"])
        assert all(inside and e.startswith(inside) for e in extra), (p["role"], extra)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_killed_role_is_back_and_wired_anew(relay, role):
    relay.kill_role(role)
    assert [p["restarts"] for p in processes(relay) if p["role"] == role][0] == 1
    assert f"{role} 0 was ended by signal 9" in relay.log()


def test_a_killed_relay_leaves_nobody_behind(relay):
    pids = [p["pid"] for p in processes(relay)]
    os.kill(relay.process.pid, signal.SIGKILL)
    relay.process.wait()
    wait_for("the children to end", lambda: not any(Path(f"/proc/{p}").exists() for p in pids))


def test_the_next_relay_waits_for_the_last_one_s_spool(relay):
    spool = relay.pid("spool")
    os.kill(spool, signal.SIGSTOP)
    os.kill(relay.process.pid, signal.SIGKILL)
    relay.process.wait()
    relay.spawn()
    time.sleep(0.5)
    assert not relay.control_path.exists() or not connects(relay)
    os.kill(spool, signal.SIGCONT)
    wait_for("the relay to be ready", relay.is_ready)


def connects(relay):
    try:
        relay.control("status")
        return True
    except OSError:
        return False


def test_an_orderly_stop_ends_with_status_0(relay):
    assert relay.stop() == 0
    assert "stopped" in relay.log()


def test_a_refused_reload_leaves_the_old_config_in_force(relay):
    before = relay.control("listeners")
    relay.config["retry"] = {"first": 0}
    relay.reload()
    wait_for("the refusal", lambda: "0 is not a number from 1 to 86400" in relay.log())
    assert relay.control("listeners") == before
    assert relay.is_ready()


def test_a_reload_amid_questions_to_the_dns_ends_no_process(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.settimeout(60)
        silent.bind(("127.0.0.1", 0))
        with Relay(tmp_path, lab={"dns-port": silent.getsockname()[1]},
                   **{"name-server": ["127.0.0.1"]}) as relay:
            with Talk(relay.port("smtp")) as talk:
                assert talk.message()[0] == 250
            assert silent.recv(512)
            relay.config["account"].append(account("late", senders=["*@late.example"]))
            relay.reload()
            with Talk(relay.port("smtp")) as talk:
                wait_for("the new account", lambda: talk.cmd("RSET")[0] == 250 and
                         talk.cmd("MAIL FROM:<a@late.example>")[0] == 250)
            assert silent.recv(512)  # asked anew
            assert all(p["restarts"] == 0 for p in processes(relay))


def test_a_reload_binds_new_ports_and_keeps_the_old(relay):
    smtp = relay.port("smtp")
    relay.config["listen"].append({"name": "more", "address": "127.0.0.1", "port": 0})
    relay.reload()
    wait_for("the new port", lambda: "more" in [
        l["name"] for l in relay.control("listeners")["listeners"]])
    assert relay.port("smtp") == smtp


def test_an_unknown_verb_is_refused_with_its_name(relay):
    answer = relay.control("explode")
    assert answer == {"ok": False, "error": "no such verb: 'explode'"}

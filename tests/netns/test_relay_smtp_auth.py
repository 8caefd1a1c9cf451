# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins: what they cost, and whom a flood of them slows. Counts and order, no clock."""
import base64
import contextlib
import os
import select

import pytest

from tests.harness.relay import Relay, account
from tests.netns.smtp_talk import NOWHERE, Talk, crypt

SLOW = "$y$jCT$gatepost"  # yescrypt, some 100 ms of CPU time a check
WRONG = 200  # strangers, each from an address of its own


def plain(user, password):
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode()


@pytest.fixture
def relay(tmp_path):
    users = [{"name": "anna", "password": crypt.crypt("secret", SLOW)}]
    with Relay(tmp_path, accounts=[account("roam", networks=[], senders=["*@roam.example"],
                                           user=users)], **NOWHERE) as relay:
        yield relay


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def test_a_web_server_that_logs_in_for_each_message_pays_once(relay):
    pid, port = relay.pid("auth"), relay.port("submissions")

    def login():
        with Talk(port, tls=True) as talk:
            assert talk.cmd(plain("anna", "secret"))[0] == 235

    before = cpu_ms(pid)
    login()
    once = cpu_ms(pid) - before
    before = cpu_ms(pid)
    for _ in range(40):
        login()
    assert once >= 20  # a check is slow; CPU time, whatever else the machine does
    assert cpu_ms(pid) - before < 3 * once


def test_a_wrong_user_costs_what_a_wrong_password_costs(relay):
    pid, port = relay.pid("auth"), relay.port("submissions")
    costs = []
    for user in ("anna", "nobody"):
        before = cpu_ms(pid)
        with Talk(port, tls=True) as talk:
            assert talk.cmd(plain(user, "wrong"))[0] == 535
        costs.append(cpu_ms(pid) - before)
    assert min(costs) * 2 > max(costs) and min(costs) >= 20, costs


def answered(talks):
    return set(select.select([t.socket for t in talks], [], [], 0)[0])


def test_a_flood_of_strangers_keeps_no_known_user_waiting(relay):
    """Many sources send wrong passwords; who was known before is checked next all the same, and the
    flood is still being worked on when the answer comes."""
    port = relay.port("submissions")
    with Talk(port, tls=True) as talk:
        assert talk.cmd(plain("anna", "secret"))[0] == 235
    relay.control("reload")  # the cache of right passwords is forgotten, but not who is known
    with contextlib.ExitStack() as stack:
        flood = [stack.enter_context(Talk(port, tls=True, source=f"127.9.0.{n + 1}"))
                 for n in range(WRONG)]
        known = stack.enter_context(Talk(port, tls=True))
        for talk in flood:
            talk.send(plain("anna", "wrong") + "\r\n")
        assert known.cmd(plain("anna", "secret"))[0] == 235
        assert len(answered(flood)) < WRONG / 2

# SPDX-License-Identifier: GPL-2.0-or-later
"""The ruleset in the kernel: our batch, what nft makes of our text, and what readback sees."""

import subprocess
from pathlib import Path

import pytest

from tests.harness.firewall import FWLOAD, ROOT, Firewall, Refused, listing
from tests.harness.net import Failed, Net
from tests.harness.relay import wait_for

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "policy"
# A bridge's connection tracking is not in every kernel: flat.conf is loaded in the image.
CONFIGS = [path for path in sorted(GOLDEN.glob("*.conf")) if path.stem != "flat"]
DESIGN = GOLDEN / "design.conf"
LIMITS = GOLDEN / "limits.conf"
NAT = GOLDEN / "nat.conf"
RANGES = GOLDEN / "ranges.conf"


def with_devices(host):
    """Every device that the configs name: a flowtable wants them to be there."""
    for dev in ("eth0", "eth1", "eth0.10", "eth0.20"):
        host.ip("link", "add", dev, "type", "bridge")
    return host


@pytest.fixture
def gate():
    with Net() as net:
        yield with_devices(net.host("gate"))


@pytest.fixture
def fw(gate, tmp_path):
    return Firewall(gate, tmp_path)


def text_of(host, config, flowtable):
    order = "text+flows" if flowtable else "text"
    return host.run([FWLOAD, order, config], cwd=ROOT).stdout


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_our_batch_is_what_nft_makes_of_our_text(gate, fw, tmp_path, config):
    fw.apply(config)
    with Net() as other_net:
        other = with_devices(other_net.host("other"))
        other.run(["nft", "-f", "-"], input=text_of(other, config, fw.has_flowtable()))
        assert listing(gate) == listing(other)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_what_nft_lists_nft_can_load(gate, fw, config):
    fw.apply(config)
    before = listing(gate)
    text = gate.run(["nft", "list", "table", "inet", "gatepost"]).stdout
    gate.run(["nft", "delete", "table", "inet", "gatepost"])
    gate.run(["nft", "-f", "-"], input=text)
    assert listing(gate) == before


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_readback_agrees(fw, config):
    fw.apply(config)
    assert fw.verify(config) == ""
    fw.apply(config)
    assert fw.verify(config) == ""


def test_any_ruleset_follows_any_other(fw):
    for config in CONFIGS + CONFIGS[::-1]:
        fw.apply(config)
        assert fw.verify(config) == ""


def test_a_second_process_goes_on_where_the_first_ended(gate, fw, tmp_path):
    fw.apply(DESIGN)
    fw.process.stdin.close()
    fw.process.wait()
    again = Firewall(gate, tmp_path)
    assert again.verify(DESIGN) == ""
    again.apply(LIMITS)
    assert again.verify(LIMITS) == ""


def test_other_tables_are_not_touched(gate, fw):
    others = """
table ip other {
    set s { type ipv4_addr; elements = { 192.0.2.1 }; }
    chain c {
        type filter hook forward priority 10; policy accept;
        ip saddr @s counter drop
    }
}
table inet gatepost2 { counter x { packets 7 bytes 70; }; chain forward { }; }
table ip gatepost { chain forward { counter packets 3 bytes 4 accept; }; }
"""
    gate.run(["nft", "-f", "-"], input=others)
    before = gate.run(["nft", "list", "ruleset"]).stdout
    fw.apply(DESIGN)
    fw.apply(LIMITS)
    gate.run(["nft", "delete", "table", "inet", "gatepost"])
    assert gate.run(["nft", "list", "ruleset"]).stdout == before


def test_counters_and_dynamic_sets_outlive_a_commit(gate, fw):
    fw.apply(LIMITS)
    gate.run(["nft", "insert", "rule", "inet", "gatepost", "input", "counter", "name",
              "server-mail1"])
    gate.run(["nft", "add", "element", "inet", "gatepost", "syn4", "{ 192.0.2.77 }"])
    gate.run(["ping", "-c", "1", "127.0.0.1"])
    counted = fw.counter("server-mail1")
    assert counted > 0
    fw.apply(DESIGN)
    assert fw.counter("server-mail1") == counted
    assert "192.0.2.77" in gate.run(["nft", "list", "set", "inet", "gatepost", "syn4"]).stdout
    fw.apply(RANGES)  # has no mail1
    with pytest.raises(Failed, match="No such file"):
        fw.counter("server-mail1")


# Everything that we install, removed or altered one at a time: one nft command a line.
MUTATIONS = {
    "table gone": "delete table inet gatepost",
    "table asleep": "add table inet gatepost { flags dormant; }",
    "policy": "add chain inet gatepost forward { policy accept; }",
    "base chain elsewhere": """flush chain inet gatepost forward
        delete chain inet gatepost forward
        add chain inet gatepost forward { type filter hook forward priority 5; }
        add rule inet gatepost forward jump forward-1""",
    "base chain without a hook": """flush chain inet gatepost input
        delete chain inet gatepost input
        add chain inet gatepost input
        add rule inet gatepost input jump input-1""",
    "jump gone": "flush chain inet gatepost forward",
    "second jump": "add rule inet gatepost forward jump forward-1",
    "rule before": "insert rule inet gatepost forward accept",
    "rule in a chain": "insert rule inet gatepost services-1 accept",
    "rules of a chain gone": "flush chain inet gatepost drop-denied-1",
    "another chain": "add chain inet gatepost mine",
    "another base chain": "add chain inet gatepost mine { type filter hook forward priority -9; }",
    "element gone": "delete element inet gatepost services4-1 { 203.0.113.10 . tcp . 80 }",
    "element added": "add element inet gatepost from4-office-1 { 198.51.100.128/25 }",
    "interval gone": "delete element inet gatepost from4-office-1 { 192.0.2.0/24 }",
    "another verdict": """delete element inet gatepost services4-1 { 203.0.113.10 . tcp . 3389 }
        add element inet gatepost services4-1 { 203.0.113.10 . tcp . 3389 : goto allow-1 }""",
    "another set": "add set inet gatepost mine { type ipv4_addr; }",
    "another counter": "add counter inet gatepost mine",
    "a quota": "add quota inet gatepost server-web1 over 1 mbytes",
    "another counter in a map": """delete element inet gatepost count4-1 { 203.0.113.10 }
        add element inet gatepost count4-1 { 203.0.113.10 : "server-mail1" }""",
    "a rule altered": """flush chain inet gatepost outbound-1
        add rule inet gatepost outbound-1 tcp dport 26 goto drop-port-25-1
        add rule inet gatepost outbound-1 tcp dport @deny-tcp-1 goto drop-denied-1
        add rule inet gatepost outbound-1 accept""",
    "a limit altered": """flush chain inet gatepost drop-bogon-1
        add rule inet gatepost drop-bogon-1 limit rate 6/second burst 10 packets \
            log prefix "gatepost drop bogon: " level debug
        add rule inet gatepost drop-bogon-1 counter name "drop-bogon" drop""",
    "a dynamic set of another form": """flush chain inet gatepost prerouting-1
        delete set inet gatepost syn4
        add set inet gatepost syn4 { type ipv4_addr; size 9; flags dynamic,timeout; }""",
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_readback_notices_and_a_commit_mends(gate, fw, name):
    fw.apply(DESIGN)
    before = listing(gate)
    gate.run(["nft", "-f", "-"], input=MUTATIONS[name] + "\n")
    assert fw.verify(DESIGN) != ""
    fw.apply(DESIGN)
    assert fw.verify(DESIGN) == ""
    assert listing(gate) == before


NAT_MUTATIONS = {
    "chain gone": """flush chain inet gatepost to-outside
        delete chain inet gatepost to-outside""",
    "hook of another kind": """flush chain inet gatepost to-outside
        delete chain inet gatepost to-outside
        add chain inet gatepost to-outside { type filter hook postrouting priority 100; }""",
    "forward elsewhere": """delete element inet gatepost forward4-1 { 198.51.100.2 . tcp . 80 }
        add element inet gatepost forward4-1 { 198.51.100.2 . tcp . 80 : 10.0.0.10 . 8081 }""",
    "forward gone": "delete element inet gatepost forward6-1 { 2001:db8:0:1::2 . tcp . 80 }",
    "another machine": """delete element inet gatepost inside4-1 { 198.51.100.20 }
        add element inet gatepost inside4-1 { 198.51.100.20 : 10.0.0.21 }""",
    "another address outside": """delete element inet gatepost outside6-1 { fd00:d::20 }
        add element inet gatepost outside6-1 { fd00:d::20 : 2001:db8:0:1::21 }""",
    "another redirect": """flush chain inet gatepost redirect-smtp-1
        add rule inet gatepost redirect-smtp-1 ip daddr @near4-1 return
        add rule inet gatepost redirect-smtp-1 ip6 daddr @near6-1 return
        add rule inet gatepost redirect-smtp-1 tcp dport 25 dnat ip to 10.0.0.1:26
        add rule inet gatepost redirect-smtp-1 tcp dport 25 dnat ip6 to [fd00:d::1]:25""",
}


@pytest.mark.parametrize("name", NAT_MUTATIONS)
def test_readback_notices_a_translation_changed_and_a_commit_mends(gate, fw, name):
    fw.apply(NAT)
    before = listing(gate)
    gate.run(["nft", "-f", "-"], input=NAT_MUTATIONS[name] + "\n")
    assert fw.verify(NAT) != ""
    fw.apply(NAT)
    assert fw.verify(NAT) == ""
    assert listing(gate) == before


def test_readback_says_what_differs(gate, fw):
    fw.apply(DESIGN)
    gate.run(["nft", "insert rule inet gatepost services-1 tcp dport 81 accept"])
    gate.run(["nft", "delete element inet gatepost services4-1 { 203.0.113.10 . tcp . 443 }"])
    assert fw.verify(DESIGN).splitlines() == [
        'chain services-1 rule 1: expression 1 is "meta load l4proto => reg 1 ", '
        'meant "meta load nfproto => reg 1 "',
        "chain services-1: 2 rules, meant 1",
        "set services4-1: element cb00710a0600000001bb0000 allow-1 missing",
    ]


def test_a_refused_batch_names_what_was_refused_and_changes_nothing(gate, fw):
    # A table that another process owns.
    owner = gate.popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    owner.stdin.write("add table inet gatepost { flags owner; }\n"
                      "add chain inet gatepost input { type filter hook input priority 7; }\n")
    owner.stdin.flush()
    wait_for("the owner's table",
             lambda: "input" in gate.run(["nft", "list", "ruleset"]).stdout)
    before = gate.run(["nft", "list", "ruleset"]).stdout
    with pytest.raises(Refused, match="the kernel refused table gatepost: Operation not permitted"):
        fw.apply(DESIGN)
    assert gate.run(["nft", "list", "ruleset"]).stdout == before


def test_without_the_right_to_it_the_reason_is_said(gate, tmp_path):
    fw = Firewall(gate, tmp_path, wrap=["setpriv", "--bounding-set", "-net_admin", "--"])
    with pytest.raises(Refused, match="Operation not permitted"):
        fw.apply(DESIGN)

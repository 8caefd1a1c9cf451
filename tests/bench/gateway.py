# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench-gateway: what commits, packets and completion cost, into output/bench/gateway.json.

docs/performance.md says what each figure means.
"""
import argparse
import importlib
import importlib.util
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.harness.net import Net
from tests.netns.gate import BUILD, MODEL, ROOT, Gate

OUTPUT = ROOT / "output" / "bench"
FLOOD = BUILD / "bench" / "flood"
LOAD_MODEL = BUILD / "bench" / "load_model"
PORT = 1001


def site(servers, leaf="1000", hosts=0):
    """A config of that many servers, five services each; hosts: members of one more group."""
    def server(i):
        allows = "".join(f" allow s{r} {{ tcp {leaf if r == 0 and i == 0 else 1000 + r};"
                         f"{' udp %d;' % PORT if r == 1 else ''}"
                         f" from {'any' if r % 2 else 'office'}; }}" for r in range(5))
        if hosts and i == 0:
            allows += " allow many { tcp 7777; from many; }"
        return f"w{i} {{ address 10.1.{i + 10 >> 8}.{i + 10 & 255};{allows} }}\n"
    # Every other address, so that no two are one range.
    many = "".join(f"{20 + (2 * i >> 24)}.{2 * i >> 16 & 255}.{2 * i >> 8 & 255}.{2 * i & 255}/32;\n"
                   for i in range(hosts))
    return ("system { host-name g; }\ninterfaces {\n"
            "wan { device eth0; address 198.51.100.2/30; gateway 198.51.100.1; }\n"
            "dmz { device eth1; address 10.1.0.1/16; }\n}\n"
            f"groups {{ office {{ 192.0.2.0/24; }} {'many { ' + many + '}' if hosts else ''} }}\n"
            f"servers {{ {''.join(map(server, range(servers)))} }}\n"
            "policy { dmz-outbound { allow any; } }\n")


class Bench:
    def __init__(self, quick):
        self.quick, self.figures = quick, {}

    def few(self, count, quick):
        return quick if self.quick else count

    def publish(self, **figures):
        for name, value in figures.items():
            self.figures[name] = round(value, 3)
            print(f"  {name:34} {value:10.3f}", flush=True)


def world(net):
    """isp - gate - web, and a twin of the gate on which nft works."""
    isp, gate, web, twin = (net.host(n) for n in ("isp", "gate", "web", "twin"))
    net.link(isp, "eth0", gate, "eth0")
    net.link(web, "eth0", gate, "eth1")
    for dev in ("eth0", "eth1"):
        net.link(twin, dev, net.host("twin" + dev), "eth0")
    isp.addr("eth0", "198.51.100.1/30")
    isp.route("10.1.0.0/16", via="198.51.100.2")
    web.addr("eth0", "10.1.0.10/16")
    web.route("default", via="10.1.0.1")
    return isp, gate, web, twin


def time_commits(bench, gate, texts):
    """Milliseconds from the request's first byte to the reply's last, one each 0.3 s."""
    took = []
    with gate.session() as session:
        for text in texts:
            before = time.perf_counter()
            answer = session.ask("commit", text=text)
            took.append((time.perf_counter() - before) * 1e3)
            assert answer["ok"], answer
            time.sleep(0.3)  # what a commit leaves for later is done
    return took


def time_nft(bench, twin, text, times):
    """The same ruleset by nft -f, in place of the one before."""
    took = []
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write("table inet gatepost\ndelete table inet gatepost\n" + text)
        file.flush()
        for _ in range(times):
            before = time.perf_counter()
            twin.run(["nft", "-f", file.name])
            took.append((time.perf_counter() - before) * 1e3)
    return took


def part_commit(bench):
    times = bench.few(20, 3)
    for name, servers, hosts, whole in (("50", 50, 0, True), ("500", 500, 0, True),
                                        ("500_leaf", 500, 0, False), ("100k_set", 50, 100000, True)):
        with Net() as net, tempfile.TemporaryDirectory() as folder:
            _, host, _, twin = world(net)
            with Gate(folder, config=site(servers, hosts=hosts), host=host) as gate:
                if whole:  # another policy each time
                    texts = [site(servers + i % 2, str(2000 + i), hosts) for i in range(times)]
                else:
                    texts = [site(servers, str(2000 + i), hosts) for i in range(times)]
                took = time_commits(bench, gate, texts)
                ruleset = gate.ask("show", what="ruleset")["rows"][0]["text"]
            nft = time_nft(bench, twin, ruleset, bench.few(7, 2))
            bench.publish(**{f"commit_ms_{name}": statistics.median(took),
                             f"commit_worst_ms_{name}": max(took),
                             f"nft_f_ms_{name}": statistics.median(nft)})


def received(host):
    return int(host.sysfs("eth0/statistics/rx_packets"))


def cost_us(bench, isp, web):
    """Processor microseconds per packet that came through."""
    before = received(web)
    said = isp.run([FLOOD, "send", "198.51.100.1", "10.1.0.10", PORT, 256, bench.few(2, 0.5)])
    cpu = float(said.stdout.split()[1])
    came = received(web) - before
    assert came > 1000, "the flood does not come through"
    return cpu / came


def part_packets(bench):
    """One server, 10,000, and no rules at all, in turns."""
    costs = {"1": [], "10k": [], "none": []}
    with Net() as net, tempfile.TemporaryDirectory() as folder:
        isp, host, web, _ = world(net)
        web.run(["ip", "neigh", "replace", "10.1.0.1", "lladdr", host.mac("eth1"), "dev", "eth0"])
        web.run(["nft", "add table inet x; add chain inet x i { type filter hook prerouting "
                 "priority -400; }; add rule inet x i udp dport 1001 drop"])
        for _ in range(bench.few(5, 1)):
            for name, servers in (("1", 1), ("10k", 10000)):
                with Gate(folder, config=None, host=host) as gate:
                    assert gate.commit(site(servers))["ok"]
                    time.sleep(0.5)
                    cost_us(bench, isp, web)  # conntrack and caches warm
                    costs[name].append(cost_us(bench, isp, web))
            host.run(["nft", "delete table inet gatepost"])
            cost_us(bench, isp, web)
            costs["none"].append(cost_us(bench, isp, web))
    median = {name: statistics.median(values) for name, values in costs.items()}
    bench.publish(packet_us_1_server=median["1"], packet_us_10k_servers=median["10k"],
                  packet_us_no_rules=median["none"],
                  packet_cost_ratio_10k_servers=median["10k"] / median["1"],
                  packet_cost_vs_no_rules=median["10k"] / median["none"])


def part_loss(bench):
    """Datagrams at 10,000 a second while commits are made."""
    commits, rate = bench.few(20, 3), 10000
    with Net() as net, tempfile.TemporaryDirectory() as folder:
        isp, host, web, _ = world(net)
        with Gate(folder, config=site(500), host=host) as gate:
            counter = web.popen([FLOOD, "count", str(PORT)], stdout=subprocess.PIPE, text=True)
            counter.stdout.readline()
            sender = isp.popen([FLOOD, "pace", "10.1.0.10", str(PORT), str(rate),
                                str(commits * 0.5 + 2)], stdout=subprocess.PIPE, text=True)
            time.sleep(0.5)
            time_commits(bench, gate, [site(500, str(3000 + i)) for i in range(commits)])
            sent, got = int(sender.stdout.read()), int(counter.stdout.read())
    bench.publish(datagrams_over_commits=sent, lost_packets_over_commit=sent - got)


def part_load(bench):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text(site(10000))
        said = subprocess.run([LOAD_MODEL, MODEL, path, str(bench.few(7, 1))], text=True, check=True,
                              capture_output=True)
        bench.publish(model_load_ms_10k=statistics.median(map(float, said.stdout.split())))
        with Net() as net:
            _, host, _, _ = world(net)
            with Gate(folder, config=path.read_text(), host=host) as gate:
                time.sleep(1)
                rollup = Path(f"/proc/{gate.process.pid}/smaps_rollup").read_text()
        kilobytes = sum(int(n) for n in re.findall(r"^(?:Pss_Anon|Pss_Shmem): +(\d+)", rollup, re.M))
        bench.publish(gatepostd_rss_mb_10k=kilobytes / 1024)


def part_cli(bench):
    figures = importlib.import_module("tests.bench.gateway_cli").complete()
    bench.publish(**{name: value for name, value in figures.items() if not isinstance(value, dict)})


PARTS = {"commit": part_commit, "packets": part_packets, "loss": part_loss, "load": part_load,
         **({"cli": part_cli} if importlib.util.find_spec("tests.bench.gateway_cli") else {})}


def main():
    parser = argparse.ArgumentParser(prog="make bench-gateway")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    bench = Bench(args.quick)
    for name, part in PARTS.items():
        if args.part in (None, name):
            print(f"{name}:", flush=True)
            part(bench)
    path = OUTPUT / "gateway.json"
    known = json.loads(path.read_text()) if path.exists() and args.part else {}
    path.write_text(json.dumps({**known, **bench.figures}, indent=1) + "\n")
    print(f"\n{path}" + (" (quick: its figures mean nothing)" if args.quick else ""))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the box promises, each checked against the running image.

A promise is a generator over a World; it yields (name, passed, figure) for each thing it checks.
The order is that of issue and README: later ones build on what earlier ones left in the box.
"""
import http.client
import json
import re
import smtplib
import socket
import threading
import time
import urllib.parse

from tests.demo import mail
from tests.demo.world import (BOX_DMZ, BOX_WAN, CERTIFIED, PASSWORD, SHARED, Datagrams, call,
                              forge)

WEB1, WEB1_6 = "203.0.113.10", "2001:db8:d::10"
MX, MX6 = "198.51.100.195", "2001:db8:0:192::195"
STRANGER, STRANGER6 = "198.51.100.130", "2001:db8:0:128::130"
PATIENCE_S = 120


def wait_for(condition, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    return None


def boots(world):
    """1. The box boots, and forwards before anything else is asked of it."""
    arrivals = Datagrams(world.web1, 53)
    sender = world.stranger.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stop = threading.Event()

    def knock():
        while not stop.wait(0.05):
            sender.sendto(b"knock", (WEB1, 53))
    threading.Thread(target=knock, daemon=True).start()
    box = world.boot(log_writes=("spool",))
    box.wait_login()
    login_s = time.monotonic() - box.started_at
    wait_for(lambda: STRANGER in arrivals.first_at)
    stop.set()
    forwarded = arrivals.first_at.get(STRANGER)
    arrivals.close()
    box.wait_ready()
    timing = box.timing()
    yield "boot to login", True, f"{login_s:.1f} s after power-on"
    yield ("boot to first forwarded packet", forwarded is not None,
           f"{forwarded - box.started_at:.1f} s after power-on" if forwarded else "none came")
    yield ("boot to all services ready", "ready" in timing,
           f"{timing.get('ready', 0):.1f} s after the kernel's start")


def reaches(world, host, address, port, greeting):
    began = time.monotonic()
    said = call(host, address, port)
    took_ms = (time.monotonic() - began) * 1000
    return (f"{host.name} reaches {address} port {port}", said.startswith(greeting),
            f"{took_ms:.0f} ms" if said.startswith(greeting) else f"got '{said}'")


def stopped(world, host, address, port):
    said = call(host, address, port)
    return (f"{host.name} does not reach {address} port {port}", said in ("silence", "refused"),
            said)


def firewalls(world):
    """2. What is allowed passes, nothing else does, in both families."""
    for address in (WEB1, WEB1_6):
        yield reaches(world, world.stranger, address, 80, "web1 80")
        yield stopped(world, world.stranger, address, 8080)
        yield stopped(world, world.stranger, address, 3389)
        yield reaches(world, world.office, address, 3389, "web1 3389")
    for address in (STRANGER, STRANGER6):
        yield reaches(world, world.web1, address, 80, "stranger 80")
        yield stopped(world, world.web1, address, 25)
    for family, target, honest, forged in (
            (socket.AF_INET, WEB1, STRANGER, ("203.0.113.20", "10.1.1.1", "127.0.0.1",
                                              "240.0.0.1", "169.254.1.1")),
            (socket.AF_INET6, WEB1_6, STRANGER6, ("2001:db8:d::20", "fc00::1", "fe80::99",
                                                  "::1", "ff02::1"))):
        arrivals = Datagrams(world.web1, 53, family)
        for source in forged:
            forge(world.isp, source, target, 53)
        world.stranger.socket(family, socket.SOCK_DGRAM).sendto(b"honest", (target, 53))
        wait_for(lambda: honest in arrivals.first_at, 20)
        came = sorted(arrivals.first_at)
        arrivals.close()
        yield (f"spoofed and bogon sources are dropped: {', '.join(forged)}", came == [honest],
               f"arrived: {', '.join(came)}")


def writes_its_own_ruleset(world):
    """3. What nft lists was written over netlink by gatepostd; no nft ran."""
    box = world.box
    listed = box.must("nft list ruleset")
    yield ("nft lists the table gatepost", "table inet gatepost" in listed,
           f"{len(listed.splitlines())} lines")
    box.must("nft monitor >/tmp/monitor 2>&1 & echo $! >/tmp/monitor.pid; sleep 1")
    status, said = commit(box, "set servers web1 allow http tcp 80,443,8088")
    time.sleep(1)
    box.must("kill $(cat /tmp/monitor.pid)")
    seen = box.must("cat /tmp/monitor")
    writers = set(re.findall(r"new generation \d+ by process \d+ \((.*?)\)", seen))
    yield ("a commit's generation was written by gatepostd", status == 0
           and writers == {"gatepostd"}, f"written by: {', '.join(sorted(writers)) or said}")


def commit(box, *lines):
    """Configures through the CLI as a script would; its exit status and what it said."""
    script = "\n".join(["configure", *lines, "commit", "exit", "exit"])
    return box.sh(f"gatepost <<'END'\n{script}\nEND\n", timeout=60)


def accepts_mail(world):
    """4. Customers are known by address, by login, by From; strangers and forgers are refused."""
    ways = (
        ("a DMZ server, by its address", world.mail1, BOX_DMZ, "news@acme.example",
         dict(port=25)),
        ("a desktop client, by STARTTLS and AUTH", world.desktop, BOX_WAN, "alice@acme.example",
         dict(port=587, login=("alice@acme.example", PASSWORD))),
        ("another account in the same network, by From", world.mail1, BOX_DMZ,
         "info@partner.example", dict(port=25)),
    )
    for name, host, server, sender, how in ways:
        data = mail.newsletter(sender, "reader@b.example", f"from {name}")
        try:
            began = time.monotonic()
            mail.submit(host, server, sender, ["reader@b.example"], data, **how)
            yield name, True, f"250 after {(time.monotonic() - began) * 1000:.0f} ms"
        except (mail.Refused, OSError) as why:
            yield name, False, str(why)
    yield refused(world, "a stranger", world.stranger, BOX_WAN, "joe@c.example")
    yield refused(world, "a forged From from the WAN", world.stranger, BOX_WAN,
                  "news@acme.example")
    yield refused(world, "a From that is not the account's", world.shop1, BOX_DMZ,
                  "news@acme.example")


def refused(world, name, host, server, sender):
    try:
        mail.submit(host, server, sender, ["reader@b.example"],
                    mail.plain(sender, "reader@b.example", "no"))
        return f"{name} is refused", False, "it was accepted"
    except mail.Refused as why:
        return f"{name} is refused", str(why).startswith("5"), str(why).splitlines()[0]


def arrived(world, sender, count=1, sink="mx"):
    def look():
        found = [m for m in world.sinks[sink].messages if m.sender == sender]
        return found if len(found) >= count else None
    return wait_for(look) or []


def delivers(world):
    """5. It arrives at the MX: tracked, otherwise unchanged, and signed."""
    found = arrived(world, "news@acme.example")
    if not found:
        yield "mail arrives at its MX", False, "it did not"
        return
    data = found[0].data
    world.arrived = data
    html = mail.html_of(data)
    links = mail.hrefs(html)
    yield "mail arrives at its MX", True, f"{len(data)} bytes over {'TLS' if found[0].tls else 'plain'}"
    tracked = [link for link in links if link.startswith("http://t.example.net/")]
    yield ("links are rewritten", len(tracked) == len(mail.LINKS),
           f"{len(tracked)} of {len(mail.LINKS)}")
    yield "an https link is not downgraded", mail.SECURE in links, links[-1]
    yield "the pixel is in", "t.example.net" in (mail.pixel(html) or ""), mail.pixel(html) or "no"
    sent = mail.html_of(mail.newsletter("news@acme.example", "reader@b.example", "x"))
    yield ("nothing else of the HTML changed",
           mail.restored(html, tracked, mail.LINKS) == sent, f"{len(sent)} characters")
    n = mail.dkimpy_verifies(data, world.dkim_record)
    yield "DKIM verifies in dkimpy", n > 0, f"{n} signatures"
    verdicts = mail.mail_dkim_results(data, world.dkim_record)
    yield "DKIM verifies in Mail::DKIM", verdicts.get("dkim") == "pass", str(verdicts)
    yield "DomainKeys verifies in Mail::DKIM", verdicts.get("domainkeys") == "pass", str(verdicts)


def fetch(world, url):
    """GET as a reader's browser on the stranger's line: status, Location, body."""
    parts = urllib.parse.urlsplit(url)
    raw = world.stranger.socket(timeout=30)
    raw.connect((BOX_WAN, parts.port or 80))
    connection = http.client.HTTPConnection(parts.netloc)
    connection.sock = raw
    connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""),
                       headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.getheader("Location"), body


def tracks(world):
    """6. The pixel and the links answer, and what happened is in the message's log."""
    html = mail.html_of(world.arrived)
    status, _, body = fetch(world, mail.pixel(html))
    yield "the pixel is an image", status == 200 and body.startswith(b"GIF89a"), f"{len(body)} bytes"
    for link, original in zip(mail.hrefs(html), mail.LINKS):
        status, location, _ = fetch(world, link)
        yield f"the link leads to {original}", (status, location) == (302, original), f"{status}"
    status, _, body = fetch(world, mail.hrefs(html)[0][:-3] + "AAA")
    yield "an altered link is not found", status == 404 and b"AAA" not in body, f"{status}"
    rows = log_rows(world, "reader@b.example", "news@acme.example")
    kinds = [row["event"] for row in rows]
    ids = {row["message"] for row in rows if row["event"] in ("opened", "clicked")}
    delivered = {row["message"] for row in rows if row["event"] == "delivered"}
    yield ("both are in the log under that message",
           kinds.count("opened") == 1 and kinds.count("clicked") == 2 and ids == delivered,
           f"{', '.join(sorted(set(kinds)))} of {', '.join(sorted(ids))}")


def log_rows(world, to, sender):
    """The events of the messages from sender to that recipient, as the CLI tells them."""
    rows = json.loads(world.box.must(
        f"gatepost -c 'show relay log to {to} limit 500 | display json'"))
    ids = {row["message"] for row in rows if row["from"] == sender}
    return [row for row in rows if row["message"] in ids]


def pools(world):
    """7. Mail leaves from its pool's own address, and only members use the certified one."""
    cases = (
        ("the certified account's mail", world.mail1, "pool@acme.example", "b.example", "mx",
         CERTIFIED),
        ("a member's mail to a routed domain", world.mail1, "pool@partner.example",
         "yahoo.example", "yahoo", CERTIFIED),
        ("a member's other mail", world.mail1, "pool@partner.example", "b.example", "mx", SHARED),
        ("a stranger to the pool, to the routed domain", world.shop1, "pool@shop.example",
         "yahoo.example", "yahoo", SHARED),
    )
    for name, host, sender, domain, sink, expected in cases:
        recipient = f"reader@{domain}"
        mail.submit(host, BOX_DMZ, sender, [recipient], mail.plain(sender, recipient, name))
        found = arrived(world, sender, sink=sink)
        came_from = found[-1].peer[0] if found else "nowhere"
        yield f"{name} leaves from {expected}", came_from == expected, f"from {came_from}"


def relay_greets(world):
    return call(world.mail1, BOX_DMZ, 25, timeout=1).startswith("220")


def survives(world):
    """8. A killed relay is back; a power cut loses nothing that was answered 250."""
    box = world.box
    box.must("killall -9 gatepost-relay")
    began = time.monotonic()
    back = wait_for(lambda: relay_greets(world), 30)
    took = time.monotonic() - began
    yield "the relay killed with SIGKILL is back within 2 s", bool(back) and took <= 2, f"{took:.1f} s"

    closed = lambda session, verb, argument: "451 4.3.0 later" if verb == "RCPT" else None
    world.sinks["mx"].scripts.append(closed)
    promised = send_until_power_fails(world, 40)
    lost = world.forget_unflushed("spool")
    world.sinks["mx"].scripts.remove(closed)
    world.boot().wait_ready()
    wait_for(lambda: {m.sender for m in world.sinks["mx"].messages} >= set(promised))
    got = [m.sender for m in world.sinks["mx"].messages if m.sender.startswith("cut")]
    missing = len(set(promised) - set(got))
    yield (f"after a power cut each of {len(promised)} messages that got 250 is delivered",
           missing == 0 and len(promised) >= 40,
           f"{missing} missing, {len(got) - len(set(got))} twice, {lost} unflushed writes lost")


def send_until_power_fails(world, enough):
    """Four clients send without pause; the plug is pulled while they do. Who was told 250."""
    promised = []

    def client(number):
        try:
            for i in range(1000):
                sender = f"cut{number}-{i}@acme.example"
                mail.submit(world.mail1, BOX_DMZ, sender, ["reader@b.example"],
                            mail.newsletter(sender, "reader@b.example", f"number {i}"))
                promised.append(sender)
        except (OSError, mail.Refused, smtplib.SMTPException):
            return  # the power failed
    clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for c in clients:
        c.start()
    wait_for(lambda: len(promised) >= enough)
    world.box.power_cut()
    for c in clients:
        c.join(60)
    return promised


def state_of(box):
    """Everything a commit may change, without what moves by itself."""
    rules = box.must("nft list ruleset")
    rules = re.sub(r"packets \d+ bytes \d+|expires \S+", "", rules)
    return rules + box.must("ip -o addr; ip -o route; ip -6 -o route; cat /config/gatepost.conf")


def refuses_bad_config(world):
    """9. A config with an error changes nothing, and its error is quoted with its line."""
    box = world.box
    before = state_of(box)
    text = box.must("cat /config/gatepost.conf").replace("tcp 3389", "tcp 33890000")
    line = next(i for i, t in enumerate(text.splitlines(), 1) if "33890000" in t)
    box.must(f"cat >/tmp/bad.conf <<'END'\n{text}\nEND")
    status, said = box.sh("printf 'configure\\nload /tmp/bad.conf\\ncommit\\nexit\\nexit\\n' | gatepost")
    quoted = [t for t in said.splitlines() if "33890000" in t]
    yield "a config with an error is refused", status == 1, f"exit status {status}"
    yield ("the offending text and line are named",
           any(re.search(rf"\b{line}\b", t) for t in quoted), quoted[0].strip() if quoted else said)
    yield "the running state is untouched", state_of(box) == before, f"{len(before)} bytes the same"


PROMISES = [boots, firewalls, writes_its_own_ruleset, accepts_mail, delivers, tracks, pools,
            survives, refuses_bad_config]

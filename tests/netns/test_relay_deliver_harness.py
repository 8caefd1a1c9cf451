# SPDX-License-Identifier: GPL-2.0-or-later
"""What the relay's tests stand on: the sink and the name server do what they say."""

import smtplib
import socket
import ssl
import struct

from tests.harness.dns import Dns
from tests.harness.sink import Close, Sink, answer, greylist, multiline_421, refuse


def ask(dns, name, kind):
    """(rcode, answer count) of one question."""
    query = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0)
    for label in name.split("."):
        query += bytes([len(label)]) + label.encode()
    query += b"\0" + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(query, (dns.address, dns.port))
        got = s.recv(4096)
    return got[3] & 15, struct.unpack(">H", got[6:8])[0]


def test_name_server_serves_its_zones_and_denies_the_rest():
    with Dns({"b.example": "@ MX 10 mx\nmx A 127.0.0.1\n"}) as dns:
        assert ask(dns, "b.example", 15) == (0, 1)
        assert ask(dns, "nowhere.example", 15) == (3, 0)
        dns.set("c.example", "@ MX 0 .\n")
        assert ask(dns, "c.example", 15) == (0, 1)
        assert ask(dns, "b.example", 15) == (0, 1)


def test_sink_keeps_what_it_is_given():
    with Sink() as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.sendmail("a@a.example", ["b@b.example", "c@b.example"],
                        b"Subject: x\r\n\r\n.dot\r\n..two\r\n")
        message, = sink.wait(1)
        assert message.sender == "a@a.example" and message.tls
        assert message.recipients == ["b@b.example", "c@b.example"]
        assert message.data == b"Subject: x\r\n\r\n.dot\r\n..two\r\n"
        assert message.peer[0] == "127.0.0.1"
        assert sink.faults == []


def test_sink_reports_a_bare_line_feed():
    with Sink() as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.ehlo()
        client.mail("a@a.example")
        client.rcpt("b@b.example")
        client.docmd("DATA")
        client.send(b"Subject: x\n\r\n.\r\n")
        client.getreply()
        assert "bare" in sink.faults[0][1]


def test_sink_misbehaves_as_scripted():
    scripts = [refuse("no@b.example", "550 5.1.1 unknown"), greylist(),
               answer("VRFY", Close()), multiline_421("NOOP", times=1)]
    with Sink(script=scripts) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.ehlo()
            client.mail("a@a.example")
            assert client.rcpt("no@b.example")[0] == 550
            assert client.rcpt("b@b.example")[0] == 450
            assert client.rcpt("b@b.example")[0] == 250
            code, text = client.docmd("NOOP")
            assert code == 421 and text.count(b"\n") == 2
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            client.sock.sendall(b"VRFY x\r\n")
            assert client.sock.recv(100) == b""

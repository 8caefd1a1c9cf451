# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMTP server that keeps what it is given, and misbehaves on request.

    with Sink() as sink:                                   # a free port on 127.0.0.1
        ...deliver to sink.port...
        message = sink.wait(1)[0]
        message.sender, message.recipients, message.data, message.peer, message.tls

    Sink(script=refuse("bob@b.example", "550 5.1.1 no such user"))
    Sink(script=[greylist(), close_at("DATA", times=2)])   # the first that answers decides

A script is a function (session, verb, argument) -> None for the usual answer, a str or bytes for
the reply, or an Action below. verb is "CONNECT", "." (end of data), "TLS" (the handshake), or the
SMTP command in capitals. Scripts run in the connection's own thread.

Sink(certificate=harness.authority.Certificate) shows that one; implicit=True speaks TLS from the first
byte; users={"name": "password"} demands a login (AUTH PLAIN or LOGIN, kept in message.user).

Bad client behaviour is kept in sink.faults: bare CR or LF, commands that were not waited for,
plaintext behind STARTTLS, over-long lines. A test asserts that the list is empty.
"""

import base64
import binascii
import contextlib
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 104857600", "SMTPUTF8", "ENHANCEDSTATUSCODES",
              "DSN", "STARTTLS")


class Message:
    """One accepted message with its envelope."""

    def __init__(self, session):
        self.sender = session.sender
        self.sender_params = session.sender_params
        self.recipients = list(session.recipients)
        self.recipient_params = list(session.recipient_params)
        self.data = b""
        self.peer = session.peer
        self.tls = session.tls
        self.helo = session.helo
        self.user = session.user
        self.session = session.number
        self.time = time.time()

    @property
    def header(self):
        return self.data.split(b"\r\n\r\n", 1)[0] + b"\r\n"

    @property
    def body(self):
        return self.data.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in self.data else b""


# -- what a script may answer ------------------------------------------------------------------


class Close:
    """Say `last` (bytes) and hang up; reset=True sends RST instead of FIN."""

    def __init__(self, last=b"", reset=False):
        self.last, self.reset = last, reset


class Slow:
    """The reply, one byte each `pause` seconds."""

    def __init__(self, reply, pause):
        self.reply, self.pause = reply, pause


class Never:
    """No reply at all: the connection stays open and silent until the client goes away."""


class Deaf:
    """The reply, and nothing is read any more."""

    def __init__(self, reply):
        self.reply = reply


class Endless:
    """The line over and over, for as long as the client reads."""

    def __init__(self, line):
        self.line = line


class HalfClose:
    """The reply, then FIN: nothing more is said, but what comes is still read."""

    def __init__(self, reply):
        self.reply = reply


class Garbage:
    """For the verb "TLS": these bytes in place of a handshake."""

    def __init__(self, data=b"\x15\x03\x01" + b"\xff" * 64):
        self.data = data


class _Gone(Exception):
    pass


# -- ready-made scripts ------------------------------------------------------------------------


def answer(verb, reply, times=None):
    """This reply (or Action) to a verb, the first `times` times."""
    left = [times]
    lock = threading.Lock()

    def script(session, at, argument):
        with lock:
            if at != verb or left[0] == 0:
                return None
            if left[0] is not None:
                left[0] -= 1
        return reply

    return script


def refuse(recipient, reply, times=None):
    """This reply to one recipient."""
    inner = answer("RCPT", reply, times)

    def script(session, verb, argument):
        if verb == "RCPT" and address_of(argument).lower() == recipient.lower():
            return inner(session, verb, argument)
        return None

    return script


def close_at(verb, times=None, reset=False):
    return answer(verb, Close(reset=reset), times)


def multiline_421(verb, times=None):
    return answer(verb, Close(b"421-4.3.2 going down\r\n421-4.3.2 really\r\n421 4.3.2 bye\r\n"),
                  times)


def greylist(reply="450 4.7.1 greylisted, come back"):
    """4xx the first time that a (peer address, sender, recipient) is seen."""
    seen = set()

    def script(session, verb, argument):
        if verb != "RCPT":
            return None
        key = (session.peer[0], session.sender, address_of(argument))
        if key in seen:
            return None
        seen.add(key)
        return reply

    return script


def delay(verb, seconds):
    """The usual answer, later."""

    def script(session, at, argument):
        if at == verb or verb == "*":
            session.sink.pause(seconds)
        return None

    return script


def address_of(argument):
    match = re.search(r"<([^>]*)>", argument)
    return match.group(1) if match else ""


# -- the server --------------------------------------------------------------------------------


class Session:
    """One connection; a script sees it."""

    def __init__(self, sink, conn, peer, number):
        self.sink, self.conn, self.number = sink, conn, number
        self.peer = (re.sub(r"^::ffff:", "", peer[0]), peer[1])
        self.tls = False
        self.esmtp = False
        self.helo = ""
        self.user = None
        self.server_name = None  # as the client asked for it in TLS
        self.commands = []  # (verb, argument)
        self.buffer = b""
        self.reset()

    def reset(self):
        self.sender = None
        self.sender_params = ""
        self.recipients = []
        self.recipient_params = []

    # bytes

    def line(self, limit=4096):
        while b"\n" not in self.buffer:
            if len(self.buffer) > limit:
                self.sink.fault(self, "a command line over %d bytes" % limit)
                raise _Gone
            self._fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            self.sink.fault(self, "bare CR or LF in command %r" % line)
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def _fill(self):
        try:
            got = self.conn.recv(65536)
        except OSError:
            raise _Gone
        if not got:
            raise _Gone
        self.buffer += got

    def send(self, data):
        try:
            self.conn.sendall(data)
        except OSError:
            raise _Gone

    def say(self, reply):
        """Sends a reply; raises _Gone when it ends the connection."""
        if isinstance(reply, Close):
            self.send(reply.last)
            if reply.reset:
                self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     b"\x01\0\0\0\0\0\0\0")
            raise _Gone
        if isinstance(reply, Slow):
            for byte in self._bytes(reply.reply):
                self.send(bytes([byte]))
                if not self.sink.pause(reply.pause):
                    raise _Gone
            return reply.reply
        if isinstance(reply, Never):
            while True:
                self._fill()
        if isinstance(reply, Deaf):
            self.send(self._bytes(reply.reply))
            self.sink.stopping.wait()
            raise _Gone
        if isinstance(reply, HalfClose):
            self.send(self._bytes(reply.reply))
            with contextlib.suppress(OSError):
                self.conn.shutdown(socket.SHUT_WR)
            while True:
                self._fill()
        if isinstance(reply, Endless):
            while not self.sink.stopping.is_set():
                self.send(self._bytes(reply.line))
            raise _Gone
        self.send(self._bytes(reply))
        return reply

    @staticmethod
    def _bytes(reply):
        return reply if isinstance(reply, bytes) else reply.encode("utf-8") + b"\r\n"

    def scripted(self, verb, argument=""):
        for script in self.sink.scripts:
            reply = script(self, verb, argument)
            if reply is not None:
                return reply
        return None

    # the dialogue

    def run(self):
        if self.sink.implicit:
            self._shake_hands()
        reply = self.scripted("CONNECT")
        self.say(reply if reply is not None else "220 %s ESMTP" % self.sink.host)
        while True:
            line = self.line()
            verb, _, argument = line.partition(" ")
            verb = verb.upper()
            self.commands.append((verb, argument))
            if self.buffer and not self._may_pipeline(verb):
                self.sink.fault(self, "%s was followed by %r unasked" % (verb, self.buffer[:40]))
            handler = getattr(self, "on_" + verb.lower(), self.on_unknown)
            handler(argument, self.scripted(verb, argument))

    def _may_pipeline(self, verb):
        return "PIPELINING" in self.sink.extensions and verb in ("MAIL", "RCPT", "RSET")

    def on_unknown(self, argument, reply):
        self.say(reply if reply is not None else "500 5.5.2 unknown command")

    def on_ehlo(self, argument, reply):
        self.helo = argument
        self.reset()
        if reply is not None:
            self.say(reply)
            return
        if not self.sink.extensions:
            self.say("500 5.5.1 no EHLO here")
            return
        names = [self.sink.host] + [e for e in self.sink.extensions
                                    if not (e == "STARTTLS" and self.tls)]
        if self.sink.users and self.tls:
            names.append(self.sink.auth)
        self.esmtp = True
        self.say("\r\n".join("250%s%s" % ("-" if i < len(names) - 1 else " ", n)
                             for i, n in enumerate(names)))

    def on_helo(self, argument, reply):
        self.helo = argument
        self.reset()
        self.say(reply if reply is not None else "250 %s" % self.sink.host)

    def on_starttls(self, argument, reply):
        if reply is not None:
            self.say(reply)
            return
        self.say("220 2.0.0 go ahead")
        reply = self.scripted("TLS")
        if reply is not None:
            self._await_hello()
        if isinstance(reply, Garbage):
            self.send(reply.data)
            raise _Gone
        if reply is not None:
            self.say(reply)
        if self.buffer:
            self.sink.fault(self, "plaintext behind STARTTLS: %r" % self.buffer[:40])
        self._shake_hands()
        self.reset()

    def _await_hello(self):
        """In TLS the client speaks first; bytes before it does are plaintext behind the 220."""
        try:
            self.conn.recv(1, socket.MSG_PEEK)
        except OSError:
            raise _Gone

    def _shake_hands(self):
        context = self.sink.tls_context()
        context.sni_callback = lambda conn, name, _: setattr(conn, "asked_name", name)
        try:
            self.conn = context.wrap_socket(self.conn, server_side=True)
        except (OSError, ssl.SSLError):
            raise _Gone
        self.server_name = getattr(self.conn, "asked_name", None)
        self.tls = True

    def on_auth(self, argument, reply):
        mechanism, _, initial = argument.partition(" ")
        if not self.tls:
            self.sink.fault(self, "AUTH without TLS")
        if reply is not None:
            self.say(reply)
            return
        if mechanism == "PLAIN":
            answers = self._decode(initial).split(b"\0")[1:]
        else:
            answers = []
            for question in (b"Username:", b"Password:"):
                self.say(b"334 " + base64.b64encode(question) + b"\r\n")
                answers.append(self._decode(self.line()))
        user, password = (a.decode() for a in answers)
        if self.sink.users.get(user) == password:
            self.user = user
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 wrong user or password")

    @staticmethod
    def _decode(text):
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return b"?\0?\0?"

    def _refused(self, reply):
        """Says a scripted reply; True unless it means yes."""
        return reply is not None and not self._bytes(self.say(reply)).startswith(b"2")

    def on_mail(self, argument, reply):
        if reply is None and self.sink.users and not self.user:
            reply = "530 5.7.0 log in first"
        if self._refused(reply):
            return
        if self.sender is not None:
            self.sink.fault(self, "nested MAIL")
            self.say("503 5.5.1 nested MAIL")
            return
        self.sender = address_of(argument)
        self.sender_params = argument.partition(">")[2].strip()
        if reply is None:
            self.say("250 2.1.0 ok")

    def on_rcpt(self, argument, reply):
        if reply is None and self.sender is None:
            reply = "503 5.5.1 MAIL first"
        if self._refused(reply):
            return
        self.recipients.append(address_of(argument))
        self.recipient_params.append(argument.partition(">")[2].strip())
        if reply is None:
            self.say("250 2.1.5 ok")

    def on_data(self, argument, reply):
        if reply is None and not self.recipients:
            reply = "554 5.5.1 no valid recipients"
        if reply is not None:
            if not self._bytes(self.say(reply)).startswith(b"354"):
                return
        else:
            self.say("354 go ahead")
        data = self._data()
        reply = self.scripted(".")
        kept = reply is None
        if isinstance(reply, (str, bytes, Slow)):
            kept = self._bytes(getattr(reply, "reply", reply)).startswith(b"2")
        if self.recipients:
            message = Message(self)
            message.data = data
            self.sink.offered.append(message)
            if kept:
                self.sink.keep(message)
        self.reset()
        self.say(reply if reply is not None else "250 2.0.0 kept by %s" % self.sink.host)

    def _data(self):
        while not (self.buffer.startswith(b".\r\n") or b"\r\n.\r\n" in self.buffer):
            self._fill()
        if self.buffer.startswith(b".\r\n"):
            raw, self.buffer = b"", self.buffer[3:]
        else:
            raw, self.buffer = self.buffer.split(b"\r\n.\r\n", 1)
            raw += b"\r\n"
        if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
            self.sink.fault(self, "bare CR or LF in the data")
        lines = raw.split(b"\r\n")
        if any(len(line) > 999 for line in lines):
            self.sink.fault(self, "a data line over 998 bytes")
        return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)

    def on_rset(self, argument, reply):
        self.reset()
        self.say(reply if reply is not None else "250 2.0.0 ok")

    def on_noop(self, argument, reply):
        self.say(reply if reply is not None else "250 2.0.0 ok")

    def on_quit(self, argument, reply):
        self.say(reply if reply is not None else "221 2.0.0 bye")
        raise _Gone


class Sink:
    """Listens until stop(); every connection gets a thread."""

    def __init__(self, address="127.0.0.1", port=0, script=(), extensions=EXTENSIONS,
                 host="sink.example", listener=None, certificate=None, implicit=False,
                 users=None, auth="AUTH PLAIN LOGIN"):
        self.scripts = [script] if callable(script) else list(script)
        self.extensions = extensions
        self.host = host
        self.implicit = implicit
        self.users = users or {}
        self.auth = auth
        self.messages = []
        self.offered = []  # those that were refused at their end as well
        self.faults = []
        self.sessions = []
        self.stopping = threading.Event()
        self._changed = threading.Condition()
        self._open = set()
        self._tls = certificate.context() if certificate else None
        if listener is None:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
        listener.listen(128)
        self.address, self.port = listener.getsockname()[:2]
        self._listener = listener
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                conn, peer = self._listener.accept()
            except OSError:
                return
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                session = Session(self, conn, peer, len(self.sessions))
                self.sessions.append(session)
                self._open.add(session)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            session.run()
        except _Gone:
            pass
        finally:
            with contextlib.suppress(OSError):
                session.conn.close()
            with self._changed:
                self._open.discard(session)
                self._changed.notify_all()

    def tls_context(self):
        """A self-signed certificate, made when it is first needed."""
        with self._changed:
            if not self._tls:
                with tempfile.TemporaryDirectory() as folder:
                    key, chain = os.path.join(folder, "key"), os.path.join(folder, "chain")
                    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                                    "/CN=" + self.host, "-keyout", key, "-out", chain],
                                   check=True, capture_output=True)
                    self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    self._tls.load_cert_chain(chain, key)
            return self._tls

    def keep(self, message):
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def fault(self, session, what):
        with self._changed:
            self.faults.append((session.peer, what))

    def pause(self, seconds):
        """Sleeps; False when the sink is being stopped."""
        return not self.stopping.wait(seconds)

    @property
    def open_sessions(self):
        return len(self._open)

    def wait_for(self, condition, timeout=30):
        """Waits until condition() holds; it is looked at whenever something happened here."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.2))
            return True

    def wait(self, count, timeout=30):
        """The messages, once there are at least `count`."""
        if not self.wait_for(lambda: len(self.messages) >= count, timeout):
            raise AssertionError("the sink has %d messages after %g s, not %d: %r" % (
                len(self.messages), timeout, count,
                [(m.sender, m.recipients) for m in self.messages]))
        with self._changed:
            return list(self.messages)

    def stop(self):
        self.stopping.set()
        # Closing does not wake accept(); shutting down does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            sessions = list(self._open)
        for session in sessions:
            with contextlib.suppress(OSError):
                session.conn.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay as one supervised service: its processes, what each may do, how they come and go."""
import contextlib
import os
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest

from tests.harness import seccomp
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


# ---- descriptors ----


def descriptors(pid):
    """{number: where it leads}"""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def test_descriptors_are_those_of_the_duty(relay):
    """Files: the log, the lock that all share, and what lies in the role's own directory; deliver
    and work read the spool's segments."""
    with Talk(relay.port("smtp")) as talk:
        assert talk.message()[0] == 250
    common = {"/dev/null", str(relay.log_path), str(relay.directory / "spool" / "lock")}
    own = {"spool": relay.directory / "spool", "report": relay.directory / "events",
           "work": relay.keys}
    for p in processes(relay):
        for fd, target in descriptors(p["pid"]).items():
            if target in common or target.split(":")[0] in ("socket", "anon_inode", "pipe", "/memfd"):
                continue
            path = Path(target)
            if p["role"] in ("deliver", "work") and path.name.startswith("body-"):
                flags = Path(f"/proc/{p['pid']}/fdinfo/{fd}").read_text().split("flags:")[1]
                assert int(flags.split()[0], 8) & os.O_ACCMODE == os.O_RDONLY, (p["role"], path)
            else:
                assert p["role"] in own and path.is_relative_to(own[p["role"]]), (p["role"], path)


def listening(pid):
    """The ports that the process holds a listening socket of."""
    inodes = {t[8:-1] for t in descriptors(pid).values() if t.startswith("socket:")}
    rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return {int(row.split()[1].split(":")[1], 16) for row in rows
            if row.split()[3] == "0A" and row.split()[9] in inodes}


def test_only_accept_and_http_listen_each_on_its_own_ports(relay):
    ports = {"accept": {relay.port(n) for n in ("smtp", "submission", "submissions")},
             "http": {relay.port(n) for n in ("http", "https")}}
    for p in processes(relay):
        assert listening(p["pid"]) == ports.get(p["role"], set()), p["role"]


# ---- system calls ----


COMMON_CALLS = set("""
    read write readv writev recvmsg sendmsg recvfrom sendto close epoll_wait epoll_pwait epoll_ctl
    epoll_create1 eventfd2 poll ppoll timerfd_create timerfd_settime clock_gettime gettimeofday
    clock_nanosleep nanosleep mmap munmap mremap brk madvise mprotect futex getrandom rt_sigaction
    rt_sigprocmask rt_sigreturn exit exit_group getpid gettid tgkill fstat newfstatat lseek fcntl
    restart_syscall rseq set_robust_list sched_yield dup geteuid getuid sysinfo uname prlimit64
    """.split())
CONNECTION_CALLS = set("accept4 accept getpeername getsockname setsockopt getsockopt shutdown".split())
BODY_CALLS = {"memfd_create", "pread64"}
CALLS = {
    "accept": CONNECTION_CALLS | BODY_CALLS,
    "auth": set("clone clone3 set_tid_address sched_getaffinity membarrier".split()),
    "spool": set("openat unlink rename statfs fstatfs fsync fdatasync fallocate ftruncate pread64 "
                 "pwrite64 pwritev pwritev2".split()),
    "work": BODY_CALLS | {"openat", "getdents64"},
    "deliver": CONNECTION_CALLS | BODY_CALLS | {"socket", "connect", "bind", "clock_adjtime"},
    "http": CONNECTION_CALLS | {"pread64"},
    "report": set("openat open unlink unlinkat rename renameat renameat2 mkdir mkdirat fsync fdatasync "
                  "fallocate getdents64 stat lstat statfs fstatfs statx access faccessat faccessat2 "
                  "flock pread64 pwrite64 preadv pwritev msync ftruncate fchmod fchown getcwd "
                  "readlink sync_file_range".split()),
}
OPENING = {"open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at",
           "pidfd_getfd", "ptrace", "process_vm_readv", "io_uring_setup"}
NEVER = {"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "mount", "chroot",
         "setuid", "setresuid", "kill", "bpf", "io_uring_setup", "pidfd_getfd", "unshare", "setns",
         "userfaultfd", "perf_event_open", "init_module", "keyctl", "listen"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read another process's filter")
@pytest.mark.skipif(os.environ.get("SANITIZE") == "1", reason="AddressSanitizer allows no filter")
def test_the_kernel_lets_each_role_make_the_calls_of_its_duty_alone(relay):
    """Read from the kernel, call by call. A call that is needed belongs into sandbox.c, with its
    reason, and here."""
    for p in processes(relay):
        programs = seccomp.filters(p["pid"])
        allowed = seccomp.allowed(programs)
        assert allowed - COMMON_CALLS - CALLS[p["role"]] == set(), p["role"]
        assert not allowed & NEVER
        if p["role"] in ("accept", "auth", "deliver", "http"):
            assert not allowed & OPENING, "it could open a key"
        for call in ("mmap", "mprotect"):
            read_write, execute = 1 | 2, 4
            assert seccomp.may(programs, seccomp.number(call), (0, 4096, read_write))
            assert not seccomp.may(programs, seccomp.number(call), (0, 4096, execute))


# ---- users ----


@pytest.fixture
def users(tmp_path):
    """A mount namespace in which the relay's users exist, as on the box; and their numbers."""
    numbers = {role: 45000 + n for n, role in enumerate(sorted(ROLES))}
    passwd = tmp_path / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + "".join(
        f"gp-{role}:x:{n}:{n}::/:/usr/sbin/nologin\n" for role, n in numbers.items()))
    wrapper = ["unshare", "-m", "sh", "-c", f'mount --bind "{passwd}" /etc/passwd && exec "$@"', "sh"]
    return numbers, wrapper


def opens(pid, uid, path):
    """Whether a process with that root directory and user can open the path for reading."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            if pid:
                os.chroot(f"/proc/{pid}/root")
            os.chdir("/")
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.close(os.open(path, os.O_RDONLY))
            status = 0
        except (PermissionError, FileNotFoundError):
            status = 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1)
    return status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_no_role_can_open_what_is_anothers(users):
    """Each has a user of its own; with that user, from its own root or from the whole system, it
    can open no key and no hash but what its duty needs."""
    numbers, wrapper = users
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with Relay(folder, accounts=[account(user=[{"name": "alice", "password": HASH}])],
                   wrapper=wrapper) as relay:
            signing = relay.keys / "acme.example.g1.pem"
            signing.write_text("a signing key")
            os.chmod(signing, 0o600)
            relay.reload()
            wait_for("the key's new owner", lambda: signing.stat().st_uid == numbers["work"])
            files = {signing: {"work"}, relay.keys / "relay.key": set(),
                     relay.keys / "tracking.keys": set(), relay.config_path: set(),
                     relay.directory / "spool" / "state.mdb": {"spool"},
                     relay.directory / "events" / "events.db": set()}  # opened before
            os.chmod(relay.config_path, 0o600)
            for p in processes(relay):
                uid = numbers[p["role"]]
                assert status_field(p["pid"], "Uid").split() == [str(uid)] * 4
                assert status_field(p["pid"], "Gid").split() == [str(uid)] * 4
                assert status_field(p["pid"], "Groups") == ""
                for path, readers in files.items():
                    assert path.exists()
                    assert opens(None, uid, path) == (p["role"] in readers), (p["role"], path)
                    assert not opens(p["pid"], uid, path)
                    assert opens(p["pid"], uid, "/" + path.name) == (p["role"] in readers)


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

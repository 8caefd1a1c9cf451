/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepostd: holds the config, puts it in force, answers the CLI.
 *
 * One process, one loop; every commit runs to its end before the next request is looked at. It is
 * supervised: what it cannot work without ends it, and what a boot finds unusable closes the
 * gate but not the daemon (commit.h), so that somebody can mend it.
 */
#include "gateway/control.h"
#include "lib/log.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONSOLES "/sys/class/tty/console/active"

struct options {
	const char *config; /* NULL: STORE/gatepost.conf */
	const char *store;  /* NULL: the folder of config */
	const char *run_dir;
	const char *control;  /* NULL: RUN/control.sock */
	const char *services; /* runit's folder */
	const char *yang;
	const char *release;
	const char *etc; /* passwd and the like; NULL: left alone */
	const char *homes;
	const char *audit;
	bool guest, lab, dry_run;

	/* made from the others */
	const char *dry_run_file, *in_force_mark, *slot_fallback;
};

static const struct {
	struct option option;
	const char *argument, *help;
} options_known[] = {
	{{"config", 1, NULL, 'c'}, "FILE", "the config (/config/gatepost.conf)"},
	{{"store", 1, NULL, 's'}, "DIR", "revisions and the like (the config's folder)"},
	{{"run-dir", 1, NULL, 'r'}, "DIR", "sockets, relay.json (/run/gatepost)"},
	{{"control", 1, NULL, 'C'}, "PATH", "the control socket (RUN-DIR/control.sock)"},
	{{"services", 1, NULL, 'S'}, "DIR", "runit's services (/etc/service)"},
	{{"yang", 1, NULL, 'y'}, "DIR", "gatepost.yang (/usr/share/gatepost/yang)"},
	{{"release", 1, NULL, 'R'}, "FILE", "about the image (/etc/gatepost/release)"},
	{{"etc", 1, NULL, 'e'}, "DIR", "accounts of users are made here (/etc; no --guest's)"},
	{{"homes", 1, NULL, 'H'}, "DIR", "homes of users (/config/users)"},
	{{"audit", 1, NULL, 'a'}, "FILE", "who did what (/var/lib/gatepost/audit/log)"},
	{{"guest", 0, NULL, 'g'}, "", "leave this machine's host name and resolvers alone"},
	{{"lab", 0, NULL, 'l'}, "", "allow settings for test benches"},
	{{"dry-run", 0, NULL, 'n'}, "", "touch nothing; write RUN-DIR/dry-run instead"},
	{{"help", 0, NULL, 'h'}, "", "this list"},
};
#define OPTION_COUNT (sizeof(options_known) / sizeof(*options_known))

_Noreturn static void usage(FILE *out, int status)
{
	fprintf(out, "gatepostd [OPTIONS]: the gateway's daemon\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		fprintf(out, "  --%-8s %-5s %s\n", options_known[i].option.name,
			options_known[i].argument, options_known[i].help);
	exit(status);
}

static void parse_options(struct options *o, int argc, char **argv)
{
	struct option list[OPTION_COUNT + 1] = {0};
	int c;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		list[i] = options_known[i].option;
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 's':
			o->store = optarg;
			break;
		case 'r':
			o->run_dir = optarg;
			break;
		case 'C':
			o->control = optarg;
			break;
		case 'S':
			o->services = optarg;
			break;
		case 'y':
			o->yang = optarg;
			break;
		case 'R':
			o->release = optarg;
			break;
		case 'e':
			o->etc = optarg;
			break;
		case 'H':
			o->homes = optarg;
			break;
		case 'a':
			o->audit = optarg;
			break;
		case 'g':
			o->guest = true;
			break;
		case 'l':
			o->lab = true;
			break;
		case 'n':
			o->dry_run = true;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gatepostd: \"%s\": an option begins with --\n", argv[optind]);
		usage(stderr, 2);
	}
}

/* DIR/NAME; lives as long as the process. */
static const char *below(const char *dir, const char *name)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

static const char *folder_of(const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		abort();
	return dirname(copy);
}

/* What was not given follows from what was. */
static void complete(struct options *o)
{
	if (!o->config)
		o->config = below(o->store ? o->store : "/config", "gatepost.conf");
	if (!o->store)
		o->store = folder_of(o->config);
	if (!o->control)
		o->control = below(o->run_dir, "control.sock");
	o->slot_fallback = below(o->run_dir, "slot-fallback");
	if (!o->etc && !o->guest && !o->dry_run)
		o->etc = "/etc";
	if (o->dry_run) {
		o->dry_run_file = below(o->run_dir, "dry-run");
	} else {
		o->in_force_mark = below(o->run_dir, "in-force");
	}
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)revents;
	log_info("ending on signal %d; what is in force stays in force", w->signum);
	ev_break(loop, EVBREAK_ALL);
}

static struct apply *open_apply(const struct options *o, struct buf *error)
{
	const struct apply_options options = {
		.dry_run = o->dry_run,
		.dry_run_file = o->dry_run_file,
		.services =
			{
				.run_dir = o->run_dir,
				.folder = o->dry_run ? NULL : o->services,
				.resolv_conf = o->guest || o->dry_run ? NULL : "/etc/resolv.conf",
				.host_name = !o->guest && !o->dry_run,
			},
		.users =
			{
				.etc = o->etc,
				.homes = o->homes,
				.admin_home = o->guest || o->dry_run ? NULL : "/config/admin",
				.admin_hash =
					o->guest || o->dry_run ? NULL : "/config/system/admin.hash",
				.admin_keys =
					o->guest || o->dry_run ? NULL : "/config/system/admin.keys",
				.shell = "/usr/libexec/gatepost/session",
			},
	};

	return apply_open(&options, error);
}

/* Somebody else changed what is ours. */
static void on_drift(void *arg, const char *differences, bool mended)
{
	struct gate *gate = arg;
	size_t len = strcspn(differences, "\n");

	if (*differences)
		announce(gate->announcer, "changed from outside, and %s: %.*s%s",
			 mended ? "put back" : "cannot be put back", (int)len, differences,
			 differences[len] && differences[len + 1] ? " ..." : "");
	if (*differences && mended)
		alarms_set(gate->alarms, ALARM_CHANGED, "", true, differences);
	alarms_set(gate->alarms, ALARM_DRIFT, "", !mended, differences);
}

static void watch(const struct options *o, struct ev_loop *loop, struct gate *gate)
{
	const struct alarm_places places = {
		.services = o->dry_run ? NULL : o->services,
		.disks = {o->store, folder_of(o->audit)},
		.clock = o->guest || o->dry_run ? NULL : "",
		.slot_fallback = o->slot_fallback,
	};
	struct buf error = BUF_INIT;

	gate->alarms = alarms_open(loop, gate->commit, &places);
	gate->drift = drift_open(loop, gate->apply, on_drift, gate, &error);
	if (!gate->drift)
		fatal("%s", buf_str(&error));
}

static void serve(const struct options *o, struct gate *gate, struct buf *error)
{
	static const int endings[] = {SIGTERM, SIGINT};
	struct ev_loop *loop = ev_default_loop(0);
	struct gate_control *control = gate_control_open(loop, o->control, gate, error);
	ev_signal signals[2];

	if (!control)
		fatal("%s", buf_str(error));
	watch(o, loop, gate);
	for (size_t i = 0; i < 2; i++) {
		ev_signal_init(&signals[i], on_signal, endings[i]);
		ev_signal_start(loop, &signals[i]);
	}
	log_info("answering at %s", o->control);
	ev_run(loop, 0);
	gate_control_close(control);
	drift_close(gate->drift);
	alarms_close(gate->alarms);
	for (size_t i = 0; i < 2; i++)
		ev_signal_stop(loop, &signals[i]);
}

int main(int argc, char **argv)
{
	static struct options o = {
		.run_dir = "/run/gatepost",
		.services = "/etc/service",
		.yang = "/usr/share/gatepost/yang",
		.release = "/etc/gatepost/release",
		.homes = "/config/users",
		.audit = "/var/lib/gatepost/audit/log",
	};
	struct buf error = BUF_INIT;

	log_open("gatepostd", LOG_LEVEL_INFO);
	parse_options(&o, argc, argv);
	complete(&o);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (mkdir(o.run_dir, 0755) != 0 && errno != EEXIST)
		fatal("cannot create %s: %s", o.run_dir, strerror(errno));
	umask(077);

	struct gate gate = {.services = o.services,
			    .release = o.release,
			    .lab = o.lab,
			    .lanport = below(o.store, "system/lan-port")};
	if (!(gate.model = model_open(o.yang, o.lab, &error)) ||
	    !(gate.store = confstore_open(o.store, o.config, &error)) ||
	    !(gate.apply = open_apply(&o, &error)))
		fatal("%s", buf_str(&error));
	gate.announcer = announcer_new(o.guest || o.dry_run ? NULL : CONSOLES);
	gate.certificates = below(o.store, "keys/certificates");
	gate.audit = audit_open(o.audit, gate.model);
	gate.commit =
		commit_open(gate.model, gate.store, gate.apply, gate.announcer, o.in_force_mark);
	commit_start(gate.commit, &error); /* a failure has been logged; the gate is closed */
	serve(&o, &gate, &error);

	commit_close(gate.commit);
	announcer_free(gate.announcer);
	audit_close(gate.audit);
	apply_close(gate.apply);
	confstore_close(gate.store);
	model_close(gate.model);
	buf_free(&error);
	return 0;
}

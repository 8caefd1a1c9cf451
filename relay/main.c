/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost-relay: one supervised service of several processes (DESIGN §2).
 *
 * main reads the config and the secrets, binds the listeners, starts the roles and hands each what
 * its duty needs. It never reads a foreign byte but the lines of the control socket.
 */
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/wire.h"
#include "relay/certify.h"
#include "relay/config.h"
#include "relay/control.h"
#include "relay/family.h"
#include "relay/keyverbs.h"
#include "relay/listen.h"
#include "relay/sandbox.h"
#include "relay/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	CONFIG_BYTES_MAX = 64 * 1024 * 1024,
	LOCK_WAIT_S = STOP_BOUND_S,
	CHANNEL_FD = 3,
	LOCK_FD = 10,
	CORES_MAX = CONFIG_WORKERS_MAX - CONFIG_OWN_WORKERS_MAX - 1,
};

static struct {
	const char *config_path;
	struct ev_loop *loop;
	struct buf json; /* the text that is in force */
	struct relay_config *config;
	struct slice_secrets secrets;
	struct listen_set *listeners;
	struct buf empty_dir;
	struct family *family;
	bool draining;
	struct control *control;
} relay;

/* ---- what each child gets ---- */

static void send_config(enum role_id role, struct channel *c)
{
	struct buf slice = BUF_INIT;
	int fd = memfd_create("slice", MFD_CLOEXEC);

	slice_make(relay.json.data, relay.json.len, role, &relay.secrets, &slice);
	if (fd < 0 || write(fd, slice.data, slice.len) != (ssize_t)slice.len)
		fatal("memfd: %s", strerror(errno));
	explicit_bzero(slice.data, slice.len);
	buf_free(&slice);
	channel_send(c, MSG_CONFIG, 0, NULL, fd);
}

static bool takes(enum role_id role, enum listener_kind kind)
{
	bool http = kind == LISTENER_HTTP || kind == LISTENER_HTTPS;

	return http ? role == ROLE_HTTP : role == ROLE_ACCEPT;
}

static void send_listeners(enum role_id role, struct channel *c, bool only_fresh)
{
	for (size_t i = 0; i < listen_count(relay.listeners); i++) {
		const struct config_listener *l = listen_at(relay.listeners, i);
		struct buf payload = BUF_INIT;
		if (!takes(role, l->kind) || (only_fresh && !listen_is_fresh(relay.listeners, i)))
			continue;
		wire_put_str(&payload, l->name);
		wire_put_addr(&payload, &l->address);
		wire_put_u32(&payload, l->port);
		wire_put_u32(&payload, l->kind);
		channel_send(c, MSG_LISTENER, 0, &payload, listen_dup(relay.listeners, i));
		buf_free(&payload);
	}
}

/* Whether new mail may come is known to deliver; accept may be started later than that. */
static void send_drain(struct channel *c)
{
	struct buf payload = BUF_INIT;

	wire_put_u8(&payload, relay.draining);
	channel_send(c, MSG_DRAIN, 0, &payload, -1);
	buf_free(&payload);
}

static void take_drain(const struct message *m)
{
	struct channel *c = family_channel(relay.family, ROLE_ACCEPT);
	struct wire w = wire_reader(m->payload, m->len);

	relay.draining = wire_u8(&w) == 1;
	if (c)
		send_drain(c);
}

static void on_started(enum role_id role, struct channel *c)
{
	send_config(role, c);
	if (role == ROLE_ACCEPT)
		send_drain(c);
	send_listeners(role, c, false);
}

static void on_reloaded(enum role_id role, struct channel *c)
{
	send_config(role, c);
	send_listeners(role, c, true);
}

/* A role without files of its own gets an empty root. */
static const char *role_directory(enum role_id role)
{
	return role == ROLE_SPOOL    ? relay.config->spool_dir
	       : role == ROLE_REPORT ? relay.config->event_dir
	       : role == ROLE_WORK   ? relay.config->key_dir
				     : buf_str(&relay.empty_dir);
}

static void on_lost(enum role_id role)
{
	if (relay.control)
		control_role_lost(relay.control, role);
}

static void on_role_message(enum role_id role, struct message *m)
{
	if (m->type == MSG_CONTROL_ANSWER && relay.control)
		control_answered(relay.control, m);
	else if (m->type == MSG_DRAIN && role == ROLE_DELIVER)
		take_drain(m);
	else
		log_warn("role %d sent main a message of type %u", role, m->type);
}

static void on_all_ready(void)
{
	log_info("ready");
}

static void on_ended(void)
{
	control_close(relay.control);
	log_info("stopped");
	exit(0);
}

static const struct family_owner family_owner = {
	.directory = role_directory,
	.started = on_started,
	.lost = on_lost,
	.message = on_role_message,
	.all_ready = on_all_ready,
	.ended = on_ended,
};

/* ---- loading ---- */

/* The directory of the secrets: main's, and passable for the role that signs. */
static bool own_keys(const char *directory, struct buf *error)
{
	if ((mkdir(directory, 0711) == 0 || errno == EEXIST) && sandbox_own_keys(directory))
		return true;
	buf_printf(error, "directory/keys: cannot prepare '%s': %s\n", directory, strerror(errno));
	return false;
}

/* What is in force already is not refused for having grown old, nor what is there at the start. */
static bool may_be_shown(const struct relay_config *config, const struct slice_secrets *secrets,
			 struct buf *error)
{
	struct buf faults = BUF_INIT;
	bool ok = certify(config, secrets, time(NULL), &faults);

	if (!ok && relay.config &&
	    !certify_is_unchanged(relay.config, &relay.secrets, config, secrets)) {
		buf_append(error, faults.data, faults.len);
	} else if (!ok) {
		log_warn("clients may refuse us: %s", buf_str(&faults));
		ok = true;
	}
	buf_free(&faults);
	return ok;
}

/* Everything that may be refused is tried before anything that is in force is touched. */
static bool load(struct buf *error)
{
	struct buf json = BUF_INIT;
	struct slice_secrets secrets = {0};
	struct relay_config *config = NULL;

	if (!buf_read_file(&json, relay.config_path, CONFIG_BYTES_MAX))
		buf_printf(error, "%s: %s\n", relay.config_path, strerror(errno));
	else
		config = config_parse(buf_str(&json), json.len, error);
	if (!config || !own_keys(config->key_dir, error) ||
	    !slice_secrets_load(config, &secrets, error) || !may_be_shown(config, &secrets, error))
		goto refused;
	struct listen_set *listeners = listen_open(config, relay.listeners, error);
	if (!listeners)
		goto refused;
	listen_free(relay.listeners);
	config_free(relay.config);
	slice_secrets_free(&relay.secrets);
	buf_free(&relay.json);
	relay.listeners = listeners;
	relay.config = config;
	relay.secrets = secrets;
	relay.json = json;
	return true;
refused:
	slice_secrets_free(&secrets);
	config_free(config);
	buf_free(&json);
	return false;
}

/* The express one, one a core for everybody, and the accounts' own. */
static unsigned work_count(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = cores < 1 ? 1 : cores > CORES_MAX ? CORES_MAX : (unsigned)cores;

	for (size_t i = 0; i < relay.config->account_count; i++)
		count += relay.config->accounts[i].workers;
	return count + 1;
}

static bool reload(struct buf *error)
{
	bool ok = load(error);

	if (ok) {
		family_resize(relay.family, work_count());
		family_each(relay.family, on_reloaded);
		log_info("%s is in force", relay.config_path);
	} else {
		log_error("%s is refused, the old one stays in force: %s", relay.config_path,
			  buf_str(error));
	}
	return ok;
}

static void on_reload(struct ev_loop *loop, ev_signal *w, int events)
{
	struct buf error = BUF_INIT;

	(void)loop;
	(void)w;
	(void)events;
	reload(&error);
	buf_free(&error);
}

/* ---- the control socket's own verbs ---- */

static json_t *answer_reload(const json_t *question)
{
	(void)question;
	struct buf error = BUF_INIT;
	json_t *answer;

	if (reload(&error))
		answer = json_pack("{s:b}", "ok", 1);
	else
		answer = json_pack("{s:b, s:o}", "ok", 0, "error",
				   json_stringn(buf_str(&error), error.len));
	buf_free(&error);
	return answer;
}

static json_t *answer_keys(const json_t *question)
{
	return keyverbs_list(relay.config, question);
}

static json_t *answer_key_make(const json_t *question)
{
	return keyverbs_make(relay.config, question);
}

static json_t *answer_certificate(const json_t *question)
{
	(void)question;
	json_t *answer = certify_status(relay.config, &relay.secrets, time(NULL));

	json_object_set_new(answer, "ok", json_true());
	return answer;
}

static void amend_alarms(json_t *answer)
{
	json_t *alarm = certify_alarm(relay.config, &relay.secrets, time(NULL));

	if (alarm && json_array_append_new(json_object_get(answer, "alarms"), alarm) != 0)
		log_warn("the alarm of the certificate could not be told");
}

static json_t *answer_listeners(const json_t *question)
{
	(void)question;
	return json_pack("{s:b, s:o}", "ok", 1, "listeners", listen_status(relay.listeners));
}

static json_t *answer_status(const json_t *question)
{
	(void)question;
	return json_pack("{s:b, s:o}", "ok", 1, "processes", family_status(relay.family));
}

static json_t *control_answer(const char *verb, const json_t *question)
{
	static const struct {
		const char *verb;
		json_t *(*answer)(const json_t *question);
	} answers[] = {{"certificate", answer_certificate}, {"keys", answer_keys},
		       {"key-make", answer_key_make},       {"listeners", answer_listeners},
		       {"reload", answer_reload},           {"status", answer_status}};

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		if (strcmp(verb, answers[i].verb) == 0)
			return answers[i].answer(question);
	return json_pack("{s:b, s:s}", "ok", 0, "error", "main has no answer to this verb");
}

static struct channel *control_channel(enum role_id role)
{
	return family_channel(relay.family, role);
}

static const struct control_owner control_owner = {
	.answer = control_answer,
	.channel = control_channel,
	.amend = amend_alarms,
};

static void on_stop(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	family_stop(relay.family);
}

/* ---- starting ---- */

static void make_directory(const char *path, const char *role_name)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		fatal("cannot make '%s': %s", path, strerror(errno));
	if (!sandbox_own(path, role_name))
		fatal("cannot give '%s' to its user: %s", path, strerror(errno));
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* The children inherit the lock: while one of a killed relay's still lives, the next one waits. */
static void lock_spool(const char *spool_dir)
{
	const struct sigaction interrupt = {.sa_handler = on_alarm};
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/lock", spool_dir);
	int fd = open(buf_str(&path), O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		fatal("cannot open '%s': %s", buf_str(&path), strerror(errno));
	sigaction(SIGALRM, &interrupt, NULL);
	alarm(LOCK_WAIT_S);
	if (fcntl(fd, F_DUPFD, LOCK_FD) < 0 || flock(fd, LOCK_EX) != 0)
		fatal("another relay holds '%s'", buf_str(&path));
	alarm(0);
	close(fd);
	buf_free(&path);
}

static int run(void)
{
	struct buf error = BUF_INIT;
	static ev_signal reload, stop, interrupt;

	umask(077);
	if (!load(&error))
		fatal("%s is refused: %s", relay.config_path, buf_str(&error));
	make_directory(relay.config->spool_dir, "spool");
	make_directory(relay.config->event_dir, "report");
	buf_printf(&relay.empty_dir, "%s.empty", relay.config->control_path);
	make_directory(buf_str(&relay.empty_dir), "");
	lock_spool(relay.config->spool_dir);
	relay.loop = ev_default_loop(EVFLAG_AUTO);
	signal(SIGPIPE, SIG_IGN);
	relay.control =
		control_open(relay.loop, relay.config->control_path, &control_owner, &error);
	if (!relay.control)
		fatal("%s", buf_str(&error));
	relay.family = family_start(relay.loop, work_count(), &family_owner);
	ev_signal_init(&reload, on_reload, SIGHUP);
	ev_signal_init(&stop, on_stop, SIGTERM);
	ev_signal_init(&interrupt, on_stop, SIGINT);
	ev_signal_start(relay.loop, &reload);
	ev_signal_start(relay.loop, &stop);
	ev_signal_start(relay.loop, &interrupt);
	ev_run(relay.loop, 0);
	return 0;
}

/* The config alone, and the certificate where it names one: nothing is made or changed. */
static int check(void)
{
	struct buf error = BUF_INIT;
	struct relay_config *c = config_load(relay.config_path, &error);
	bool ok = c && certify_files(c, time(NULL), &error);

	fputs(buf_str(&error), stderr);
	buf_free(&error);
	config_free(c);
	return ok ? 0 : 1;
}

static int usage(void)
{
	fputs("usage: gatepost-relay -c relay.json [--check]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	log_open("gatepost-relay", LOG_LEVEL_INFO);
	if (argc == 4 && strcmp(argv[1], "--role") == 0)
		return process_main(argv[2], argv[3], CHANNEL_FD);
	if (argc < 3 || strcmp(argv[1], "-c") != 0)
		return usage();
	relay.config_path = argv[2];
	if (argc == 4 && strcmp(argv[3], "--check") == 0)
		return check();
	return argc == 3 ? run() : usage();
}

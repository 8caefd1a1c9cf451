/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of the relay: one duty, one user, one filter of system calls (DESIGN §2).
 *
 * main.c starts each role by executing this program again, with a channel to main on descriptor
 * 3. The new process gets its slice of the config, calls the role's open() while it still may
 * open files, gives up its rights (user, root directory, system calls) and runs the loop. main
 * wires roles to each other (main.c's table) and does so anew when one of the two was restarted,
 * so a role sees peers come and go and must live with both.
 */
#ifndef GATEPOST_RELAY_PROCESS_H
#define GATEPOST_RELAY_PROCESS_H

#include "relay/channel.h"
#include "relay/config.h"
#include "relay/messages.h"

#include <ev.h>

enum role_id {
	ROLE_MAIN,
	ROLE_ACCEPT,
	ROLE_AUTH,
	ROLE_SPOOL,
	ROLE_WORK,
	ROLE_DELIVER,
	ROLE_HTTP,
	ROLE_REPORT,
	ROLE_COUNT,
};

struct process {
	struct ev_loop *loop;
	const struct role *role;
	unsigned index; /* among several of one role */
	const struct relay_config *config;
	struct channel *main;
};

struct role {
	const char *name;
	bool prompt;  /* it passes things on: it asks the kernel for short turns, soon */
	bool patient; /* it computes, and lets those go before */
	bool express; /* its process 0 is for what is in a hurry: prompt, not patient */
	/* Before the rights are given up. The working directory is the role's own (spool: the
	 * spool; work: the keys; report: the events; others: an empty one), and becomes its root
	 * where the relay runs as root: open files by names relative to it. fatal() when it cannot
	 * work. */
	void (*open)(struct process *p);
	/* A new config has taken p->config's place; the old one is freed when this returns. */
	void (*reload)(struct process *p);
	/* A listening socket, non-blocking; at a reload only new ones come, after reload() was
	 * called; one that the config no longer names (p->config->listeners) is the role's to
	 * close. */
	void (*listener)(struct process *p, const struct config_listener *l, int fd);
	void (*peer_up)(struct process *p, enum role_id peer, unsigned index, struct channel *c);
	void (*peer_down)(struct process *p, enum role_id peer, unsigned index, struct channel *c);
	void (*message)(struct process *p, enum role_id from, struct channel *c, struct message *m);
	/* Finish what is under way; process_exit() when done. main kills after STOP_BOUND_S. */
	void (*stop)(struct process *p);
};
/* Any member but name may be NULL. */

#define STOP_BOUND_S 10

extern const struct role accept_role;  /* relay/smtp/accept.c */
extern const struct role auth_role;    /* relay/smtp/auth.c */
extern const struct role spool_role;   /* relay/spool/spool.c */
extern const struct role work_role;    /* relay/queue/work.c */
extern const struct role deliver_role; /* relay/queue/deliver.c */
extern const struct role http_role;    /* relay/http/http.c */
extern const struct role report_role;  /* relay/report/report.c */

/* Runs the role of that name until it is told to stop: what main.c calls when it was executed as
 * one. The exit status. */
int process_main(const char *role_name, const char *index, int main_fd);

/* "accept"; NULL for a number that is no role's. */
const char *role_name(enum role_id id);

_Noreturn void process_exit(struct process *p);

/* Milliseconds since 1970, and milliseconds of a clock that never jumps. */
uint64_t clock_wall_ms(void);
uint64_t clock_steady_ms(void);

#endif

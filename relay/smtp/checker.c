/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/checker.h"

#include "lib/log.h"
#include "relay/smtp/proofs.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* The loop writes the job while busy is false, the thread reads it while it is true. */
static struct {
	struct ev_loop *loop;
	checker_done_fn *done;
	ev_async finished;
	bool running, busy; /* the loop's own */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool posted; /* under the lock, as are: */
	char password[256];
	char hash[CRYPT_OUTPUT_SIZE];
	enum checker_verdict verdict;
} checker = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static enum checker_verdict compare(const char *password, const char *hash)
{
	static struct crypt_data data;
	const char *made = crypt_r(password, hash, &data);
	size_t n = strlen(hash);
	enum checker_verdict verdict = CHECKER_WRONG;

	if (!made || made[0] == '*')
		return CHECKER_UNUSABLE;
	if (strlen(made) == n && proofs_equal(made, hash, n))
		verdict = CHECKER_RIGHT;
	explicit_bzero(&data, sizeof(data));
	return verdict;
}

static void *work(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&checker.lock);
	for (;;) {
		while (!checker.posted)
			pthread_cond_wait(&checker.wake, &checker.lock);
		checker.posted = false;
		checker.verdict = compare(checker.password, checker.hash);
		explicit_bzero(checker.password, sizeof(checker.password));
		ev_async_send(checker.loop, &checker.finished);
	}
	return NULL;
}

static void on_finished(struct ev_loop *loop, ev_async *w, int events)
{
	enum checker_verdict verdict;

	(void)loop;
	(void)w;
	(void)events;
	pthread_mutex_lock(&checker.lock);
	verdict = checker.verdict;
	pthread_mutex_unlock(&checker.lock);
	checker.busy = false;
	checker.done(verdict);
}

void checker_open(struct ev_loop *loop, checker_done_fn *done)
{
	checker.loop = loop;
	checker.done = done;
	ev_async_init(&checker.finished, on_finished);
	ev_async_start(loop, &checker.finished);
}

bool checker_is_busy(void)
{
	return checker.busy;
}

/* Not before the process has given up its rights: a thread keeps those that it began with. */
static void run(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int e;

	if (checker.running)
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	e = pthread_create(&thread, &attributes, work, NULL);
	pthread_attr_destroy(&attributes);
	if (e)
		fatal("no thread for checking passwords: %s", strerror(e));
	checker.running = true;
}

void checker_start(const char *password, const char *hash)
{
	run();
	checker.busy = true;
	pthread_mutex_lock(&checker.lock);
	snprintf(checker.password, sizeof(checker.password), "%s", password);
	snprintf(checker.hash, sizeof(checker.hash), "%s", hash);
	checker.posted = true;
	pthread_cond_signal(&checker.wake);
	pthread_mutex_unlock(&checker.lock);
}

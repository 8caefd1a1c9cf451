/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor DIRECTORY KEY.pem SIZE BATCH COUNT
 *
 * What a message costs at the very least, whoever carries it: its bytes come in from a TCP socket,
 * are appended to a file, are synced together with the others of their batch, are read again, are
 * hashed and signed once (rsa-sha256 by libcrypto, the key parsed beforehand), and leave by a TCP
 * socket. No SMTP, no envelope, no queue, no rewriting.
 *
 * Prints the processor time of each, in microseconds a message, as JSON. Only this thread's time is
 * counted, in user space and in the kernel; the thread that stands for both peers has its own.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_BYTES = 1000, SIGNATURE_MAX = 512 }; /* what DKIM's second hash goes over */

static struct {
	size_t size, batch, count;
	EVP_PKEY *key;
	int file, in, out;     /* ours */
	int in_peer, out_peer; /* the other thread's */
	unsigned char *bytes;
	double sign_us, in_us, sync_us, out_us;
} run;

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A connected pair of TCP sockets. */
static void tcp_pair(int *a, int *b)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	*a = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || *a < 0 || bind(listener, (struct sockaddr *)&at, n) != 0 ||
	    listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&at, &n) != 0 ||
	    connect(*a, (struct sockaddr *)&at, n) != 0 || (*b = accept(listener, NULL, NULL)) < 0)
		err(2, "cannot connect to myself");
	close(listener);
}

static void send_all(int fd, const unsigned char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			err(2, "send");
		bytes += sent;
		n -= (size_t)sent;
	}
}

static void receive_all(int fd, unsigned char *bytes, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, bytes, n, MSG_WAITALL);
		if (got <= 0)
			err(2, "recv");
		bytes += got;
		n -= (size_t)got;
	}
}

static void *feed(void *arg)
{
	unsigned char *bytes = calloc(1, run.size);

	if (!bytes)
		err(2, "out of memory");
	for (size_t i = 0; i < run.count; i++)
		send_all(run.in_peer, bytes, run.size);
	free(bytes);
	return arg;
}

static void *drain(void *arg)
{
	unsigned char *bytes = malloc(run.size);

	if (!bytes)
		err(2, "out of memory");
	for (size_t i = 0; i < run.count; i++)
		receive_all(run.out_peer, bytes, run.size);
	free(bytes);
	return arg;
}

static void sign(void)
{
	unsigned char hash[EVP_MAX_MD_SIZE], signature[SIGNATURE_MAX];
	size_t n = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || !EVP_Digest(run.bytes, run.size, hash, NULL, EVP_sha256(), NULL) ||
	    !EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, run.key) ||
	    !EVP_DigestSign(context, signature, &n, run.bytes,
			    run.size < HEADER_BYTES ? run.size : HEADER_BYTES))
		errx(2, "libcrypto does not sign");
	EVP_MD_CTX_free(context);
}

/* A batch comes in and is synced; then its messages are signed and leave one by one. */
static void one_batch(size_t first, size_t count)
{
	double at = cpu_us(), then;

	for (size_t i = 0; i < count; i++) {
		receive_all(run.in, run.bytes, run.size);
		if (pwrite(run.file, run.bytes, run.size, (off_t)((first + i) * run.size)) !=
		    (ssize_t)run.size)
			err(2, "pwrite");
	}
	then = cpu_us();
	run.in_us += then - at;
	if (fdatasync(run.file) != 0)
		err(2, "fdatasync");
	at = cpu_us();
	run.sync_us += at - then;
	for (size_t i = 0; i < count; i++) {
		at = cpu_us();
		if (pread(run.file, run.bytes, run.size, (off_t)((first + i) * run.size)) !=
		    (ssize_t)run.size)
			err(2, "pread");
		then = cpu_us();
		run.out_us += then - at;
		sign();
		at = cpu_us();
		run.sign_us += at - then;
		send_all(run.out, run.bytes, run.size);
		run.out_us += cpu_us() - at;
	}
}

static void prepare(char **argv)
{
	FILE *pem = fopen(argv[2], "r");
	char path[4096];

	run.size = strtoull(argv[3], NULL, 10);
	run.batch = strtoull(argv[4], NULL, 10);
	run.count = strtoull(argv[5], NULL, 10);
	run.key = pem ? PEM_read_PrivateKey(pem, NULL, NULL, NULL) : NULL;
	if (!run.key)
		errx(2, "'%s' is no key", argv[2]);
	fclose(pem);
	snprintf(path, sizeof(path), "%s/floor-%d.bin", argv[1], getpid());
	run.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	/* As the spool's segments: the file has its size before it is written. */
	if (run.file < 0 || posix_fallocate(run.file, 0, (off_t)(run.size * run.count)) != 0)
		err(2, "cannot make '%s'", path);
	unlink(path);
	run.bytes = malloc(run.size);
	if (!run.bytes || !run.size || !run.batch || !run.count)
		errx(2, "SIZE, BATCH and COUNT are numbers from 1");
	tcp_pair(&run.in, &run.in_peer);
	tcp_pair(&run.out, &run.out_peer);
}

int main(int argc, char **argv)
{
	pthread_t feeder, drainer;

	if (argc != 6)
		errx(2, "floor DIRECTORY KEY.pem SIZE BATCH COUNT");
	prepare(argv);
	if (pthread_create(&feeder, NULL, feed, NULL) != 0 ||
	    pthread_create(&drainer, NULL, drain, NULL) != 0)
		errx(2, "no thread");
	sign(); /* what libcrypto does once */
	for (size_t done = 0; done < run.count; done += run.batch)
		one_batch(done, run.count - done < run.batch ? run.count - done : run.batch);
	pthread_join(feeder, NULL);
	pthread_join(drainer, NULL);
	double n = (double)run.count;
	printf("{\"sign_us\": %.1f, \"in_us\": %.1f, \"sync_us\": %.1f, \"out_us\": %.1f, "
	       "\"floor_us\": %.1f}\n",
	       run.sign_us / n, run.in_us / n, run.sync_us / n, run.out_us / n,
	       (run.sign_us + run.in_us + run.sync_us + run.out_us) / n);
	EVP_PKEY_free(run.key);
	free(run.bytes);
	return 0;
}

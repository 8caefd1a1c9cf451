/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/login.h"

#include <string.h>

#define CHALLENGE_USER     "VXNlcm5hbWU6" /* "Username:" */
#define CHALLENGE_PASSWORD "UGFzc3dvcmQ6" /* "Password:" */

void login_clear(struct login *l)
{
	explicit_bzero(l, sizeof(*l));
}

static enum login_step refuse(struct login *l, struct login_says *says, const char *status,
			      const char *text)
{
	login_clear(l);
	says->status = status;
	says->text = text;
	return LOGIN_REFUSED;
}

static enum login_step ask(struct login *l, struct login_says *says, enum login_state next,
			   const char *challenge)
{
	l->state = next;
	says->challenge = challenge;
	return LOGIN_MORE;
}

static enum login_step not_base64(struct login *l, struct login_says *says)
{
	return refuse(l, says, "501 5.5.2", "the response is not base64, or too long");
}

/* One string without NULs, at most 255 bytes. */
static bool take_string(char out[256], const char *s, size_t n)
{
	if (n > 255 || memchr(s, '\0', n))
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

static enum login_step complete(struct login *l, struct login_says *says)
{
	if (!l->user[0])
		return refuse(l, says, "535 5.7.8", "the user name is empty");
	l->state = LOGIN_NONE;
	return LOGIN_COMPLETE;
}

/* [authzid] NUL authcid NUL passwd */
static enum login_step plain(struct login *l, const char *line, size_t n, struct login_says *says)
{
	char text[3 * 256];
	int len = command_base64(line, n, text, sizeof(text));
	const char *end, *user, *password;
	bool good;

	if (len < 0)
		return not_base64(l, says);
	end = text + len;
	user = memchr(text, '\0', (size_t)len);
	password = user ? memchr(user + 1, '\0', (size_t)(end - user - 1)) : NULL;
	if (!password) {
		explicit_bzero(text, sizeof(text));
		return refuse(l, says, "501 5.5.2",
			      "the response is not [identity] NUL user NUL password");
	}
	good = take_string(l->user, user + 1, (size_t)(password - user - 1)) &&
	       take_string(l->password, password + 1, (size_t)(end - password - 1));
	/* To act as somebody else is not offered. */
	if (good && user > text && strcmp(text, l->user) != 0)
		good = false;
	explicit_bzero(text, sizeof(text));
	if (!good)
		return refuse(l, says, "535 5.7.8",
			      "user and password hold at most 255 bytes each, and an identity must "
			      "be the user");
	return complete(l, says);
}

static enum login_step user(struct login *l, const char *line, size_t n, struct login_says *says)
{
	char text[256];
	int len = command_base64(line, n, text, sizeof(text));

	if (len < 0 || !take_string(l->user, text, (size_t)len))
		return not_base64(l, says);
	return ask(l, says, LOGIN_PASSWORD, CHALLENGE_PASSWORD);
}

static enum login_step password(struct login *l, const char *line, size_t n,
				struct login_says *says)
{
	char text[256];
	int len = command_base64(line, n, text, sizeof(text));
	bool good = len >= 0 && take_string(l->password, text, (size_t)len);

	explicit_bzero(text, sizeof(text));
	return good ? complete(l, says) : not_base64(l, says);
}

enum login_step login_continue(struct login *l, const char *line, size_t n, struct login_says *says)
{
	if (n == 1 && *line == '*')
		return refuse(l, says, "501 5.0.0", "the login was given up");
	switch (l->state) {
	case LOGIN_PLAIN:
		return plain(l, line, n, says);
	case LOGIN_USER:
		return user(l, line, n, says);
	case LOGIN_PASSWORD:
		return password(l, line, n, says);
	default:
		return refuse(l, says, "503 5.5.1", "no login is under way");
	}
}

enum login_step login_begin(struct login *l, const struct command *auth, struct login_says *says)
{
	login_clear(l);
	if (strcmp(auth->mechanism, "PLAIN") == 0)
		ask(l, says, LOGIN_PLAIN, "");
	else if (strcmp(auth->mechanism, "LOGIN") == 0)
		ask(l, says, LOGIN_USER, CHALLENGE_USER);
	else
		return refuse(l, says, "504 5.5.4", "the mechanisms here are PLAIN and LOGIN");
	if (!auth->initial)
		return LOGIN_MORE;
	/* "=" stands for an empty response (RFC 4954 §4). */
	if (auth->initial_len == 1 && *auth->initial == '=')
		return login_continue(l, "", 0, says);
	return login_continue(l, auth->initial, auth->initial_len, says);
}

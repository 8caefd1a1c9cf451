/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/users.h"

#include "gateway/file.h"
#include "gateway/peer.h"
#include "lib/log.h"
#include "model/model.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX      ((size_t)1 << 20)
#define PASSWORD_MIN  8
#define PASSWORD_MAX  256
#define NAME_MAX_SIZE 32
#define LOCKED        "!*"

struct user {
	char name[NAME_MAX_SIZE];
	bool admin;
	char *password; /* a hash, or NULL */
	struct buf keys;
};

struct users {
	struct user *list;
	size_t n;
};

/* ---- what the config says ---- */

struct users *users_compile(const struct lyd_node *conf)
{
	struct users *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	CONF_FOR_EACH (n, conf_top(conf, "system"), "user") {
		u->list = realloc(u->list, (u->n + 1) * sizeof(*u->list));
		if (!u->list)
			abort();
		struct user *user = &u->list[u->n++];
		const char *password = conf_value(n, "password");
		*user = (struct user){.admin = !strcmp(conf_value(n, "role"), "admin")};
		snprintf(user->name, sizeof(user->name), "%s", conf_value(n, "name"));
		if (password && !(user->password = strdup(password)))
			abort();
		CONF_FOR_EACH (key, n, "key")
			buf_printf(&user->keys, "%s\n", conf_text(key));
	}
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n; i++) {
		free(u->list[i].password);
		buf_free(&u->list[i].keys);
	}
	free(u->list);
	free(u);
}

static const struct user *user_named(const struct users *u, const char *name)
{
	for (size_t i = 0; u && i < u->n; i++)
		if (!strcmp(u->list[i].name, name))
			return &u->list[i];
	return NULL;
}

/* ---- the files' lines ---- */

/* One line of name:second:third:..., as far as it is looked at. */
struct line {
	const char *text;
	size_t len; /* without its end */
	char name[64], second[256];
	unsigned long id; /* the third field */
};

static bool next_line(const char **text, struct line *line)
{
	if (!**text)
		return false;
	*line = (struct line){.text = *text, .len = strcspn(*text, "\n")};
	sscanf(*text, "%63[^:\n]:%255[^:\n]:%lu", line->name, line->second, &line->id);
	*text += line->len + ((*text)[line->len] == '\n');
	return true;
}

static bool is_ours(const struct line *line)
{
	return line->id >= USERS_FIRST_ID && line->id <= USERS_LAST_ID;
}

/* The id that a user has already; 0 for none. */
static unsigned long id_now(const char *passwd, const char *name)
{
	struct line line;

	while (next_line(&passwd, &line))
		if (is_ours(&line) && !strcmp(line.name, name))
			return line.id;
	return 0;
}

/* Ids go upwards from boot to boot: a process of a user who is gone belongs to nobody else. */
static unsigned long new_id(const char *passwd, const struct buf *made)
{
	static unsigned long highest = USERS_FIRST_ID;
	const char *texts[] = {passwd, buf_str(made)};
	struct line line;

	for (size_t i = 0; i < 2; i++)
		for (const char *text = texts[i]; next_line(&text, &line);)
			if (is_ours(&line) && line.id > highest)
				highest = line.id;
	return highest < USERS_LAST_ID ? ++highest : USERS_FIRST_ID + 1;
}

static void render_passwd(const struct users *u, const struct users_place *place,
			  const char *passwd, struct buf *out)
{
	struct line line;

	for (const char *text = passwd; next_line(&text, &line);)
		if (!is_ours(&line))
			buf_printf(out, "%.*s\n", (int)line.len, line.text);
	for (size_t i = 0; u && i < u->n; i++) {
		const char *name = u->list[i].name;
		unsigned long id = id_now(passwd, name);
		if (!strcmp(name, USERS_ADMIN))
			continue;
		buf_printf(out, "%s:x:%lu:%d:%s:%s/%s:%s\n", name, id ? id : new_id(passwd, out),
			   USERS_FIRST_ID, name, place->homes, name, place->shell);
	}
}

/* admin's hash: the config's, its own, or whatever is there. */
static void render_admin(const struct users *u, const char *admin_hash, const struct line *line,
			 struct buf *out)
{
	const struct user *admin = user_named(u, USERS_ADMIN);
	size_t skip = strlen(line->name) + 1 + strlen(line->second);

	if (admin && admin->password)
		admin_hash = admin->password;
	if (admin_hash && skip < line->len)
		buf_printf(out, "%s:%s%.*s\n", line->name, admin_hash, (int)(line->len - skip),
			   line->text + skip);
	else
		buf_printf(out, "%.*s\n", (int)line->len, line->text);
}

static void render_shadow(const struct users *u, const char *admin_hash, const char *passwd,
			  const char *shadow, struct buf *out)
{
	struct line line;

	for (const char *text = shadow; next_line(&text, &line);) {
		if (!strcmp(line.name, USERS_ADMIN))
			render_admin(u, admin_hash, &line, out);
		else if (!id_now(passwd, line.name))
			buf_printf(out, "%.*s\n", (int)line.len, line.text);
	}
	for (size_t i = 0; u && i < u->n; i++)
		if (strcmp(u->list[i].name, USERS_ADMIN) != 0)
			buf_printf(out, "%s:%s:19000:0:99999:7:::\n", u->list[i].name,
				   u->list[i].password ? u->list[i].password : LOCKED);
}

/* The group's line anew, with the admins, or with the image's admin alone, as its members. */
static void render_members(const struct users *u, const char *group, unsigned long id, bool admins,
			   struct buf *out)
{
	const char *comma = "";

	buf_printf(out, "%s:x:%lu:", group, id);
	if (!admins)
		buf_appends(out, USERS_ADMIN);
	for (size_t i = 0; admins && u && i < u->n; i++) {
		if (!u->list[i].admin)
			continue;
		buf_printf(out, "%s%s", comma, u->list[i].name);
		comma = ",";
	}
	buf_appendc(out, '\n');
}

static void render_group(const struct users *u, const char *group, struct buf *out)
{
	struct line line;

	for (const char *text = group; next_line(&text, &line);) {
		if (!strcmp(line.name, PEER_ADMIN_GROUP))
			render_members(u, PEER_ADMIN_GROUP, line.id, true, out);
		else if (strcmp(line.name, PEER_LOGIN_GROUP) != 0)
			buf_printf(out, "%.*s\n", (int)line.len, line.text);
	}
	render_members(u, PEER_LOGIN_GROUP, USERS_FIRST_ID, false, out);
}

void users_render(const struct users *u, const struct users_place *place, const char *admin_hash,
		  const struct accounts *now, struct accounts *out)
{
	const char *passwd = buf_str(&now->passwd);

	render_passwd(u, place, passwd, &out->passwd);
	render_shadow(u, admin_hash, passwd, buf_str(&now->shadow), &out->shadow);
	render_group(u, buf_str(&now->group), &out->group);
}

void accounts_free(struct accounts *a)
{
	buf_free(&a->passwd);
	buf_free(&a->shadow);
	buf_free(&a->group);
}

/* ---- files ---- */

static const char *path_in(struct buf *path, const char *folder, const char *name)
{
	buf_clear(path);
	buf_printf(path, "%s/%s", folder, name);
	return buf_str(path);
}

static bool read_accounts(const char *etc, struct accounts *a, struct buf *error)
{
	const struct {
		const char *name;
		struct buf *to;
	} files[] = {{"passwd", &a->passwd}, {"shadow", &a->shadow}, {"group", &a->group}};
	struct buf path = BUF_INIT;
	bool ok = true;

	for (size_t i = 0; ok && i < 3; i++) {
		ok = buf_read_file(files[i].to, path_in(&path, etc, files[i].name), FILE_MAX);
		if (!ok)
			buf_printf(error, "cannot read %s: %s\n", buf_str(&path), strerror(errno));
	}
	buf_free(&path);
	return ok;
}

static bool write_changed(const char *etc, const char *name, const struct buf *was,
			  const struct buf *is, mode_t mode, struct buf *error)
{
	struct buf path = BUF_INIT;
	bool ok = (was->len == is->len && !memcmp(buf_str(was), buf_str(is), is->len)) ||
		  file_replace(path_in(&path, etc, name), is->data, is->len, mode, error);

	buf_free(&path);
	return ok;
}

/* The hash is in force from the moment that shadow has it, the account once passwd has it too. */
static bool write_accounts(const char *etc, const struct accounts *was, const struct accounts *is,
			   struct buf *error)
{
	struct buf unsaid = BUF_INIT;

	if (write_changed(etc, "shadow", &was->shadow, &is->shadow, 0600, error)) {
		if (write_changed(etc, "group", &was->group, &is->group, 0644, error)) {
			if (write_changed(etc, "passwd", &was->passwd, &is->passwd, 0644, error))
				return true;
			write_changed(etc, "group", &is->group, &was->group, 0644, &unsaid);
		}
		write_changed(etc, "shadow", &is->shadow, &was->shadow, 0600, &unsaid);
	}
	if (unsaid.len)
		log_error("undo: %s", buf_str(&unsaid));
	buf_free(&unsaid);
	return false;
}

/* ---- homes ---- */

static bool make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return false;
	/* Not root in a test: the folder is whose it is. */
	return geteuid() != 0 || (lchown(path, uid, gid) == 0 && chmod(path, mode) == 0);
}

/* Whether the file says that already: no commit waits for a disk without need. */
static bool stands(const char *path, const struct buf *text)
{
	struct buf now = BUF_INIT;
	bool same = buf_read_file(&now, path, FILE_MAX)
			    ? now.len == text->len && !memcmp(buf_str(&now), buf_str(text), now.len)
			    : errno == ENOENT && !text->len;

	buf_free(&now);
	return same;
}

static void put_keys(const char *home, const char *name, const struct buf *keys, uid_t uid,
		     gid_t gid)
{
	struct buf path = BUF_INIT, error = BUF_INIT;
	bool ok = make_folder(home, 0700, uid, gid) &&
		  make_folder(path_in(&path, home, ".ssh"), 0755, 0, 0);

	if (!ok)
		buf_printf(&error, "%s: %s", path.len ? buf_str(&path) : home, strerror(errno));
	else if (!stands(path_in(&path, home, ".ssh/authorized_keys"), keys))
		ok = file_replace(buf_str(&path), buf_str(keys), keys->len, 0644, &error);
	if (!ok)
		log_error("the keys of %s are not in force: %s", name, buf_str(&error));
	buf_free(&path);
	buf_free(&error);
}

/* The config's, or else the first ones: what the config no longer has is not in force either. */
static void put_admin_keys(const struct user *admin, const struct users_place *place, uid_t id)
{
	struct buf first = BUF_INIT;

	if (!place->admin_home)
		return;
	if (place->admin_keys && !buf_read_file(&first, place->admin_keys, FILE_MAX) &&
	    errno != ENOENT)
		log_error("%s: %s", place->admin_keys, strerror(errno));
	put_keys(place->admin_home, USERS_ADMIN, admin && admin->keys.len ? &admin->keys : &first,
		 id, id);
	buf_free(&first);
}

/* Of those who are gone, the keys go; the account has gone already. */
static void make_homes(const struct users *u, const struct users_place *place,
		       const struct accounts *was, const struct accounts *is)
{
	const struct buf none = BUF_INIT;
	struct buf home = BUF_INIT;
	struct line line;

	if (mkdir(place->homes, 0755) != 0 && errno != EEXIST)
		log_error("cannot create %s: %s", place->homes, strerror(errno));
	for (const char *text = buf_str(&is->passwd); next_line(&text, &line);) {
		const struct user *user = user_named(u, line.name);
		if (is_ours(&line) && user)
			put_keys(path_in(&home, place->homes, line.name), line.name, &user->keys,
				 (uid_t)line.id, USERS_FIRST_ID);
		else if (!strcmp(line.name, USERS_ADMIN))
			put_admin_keys(user, place, (uid_t)line.id);
	}
	for (const char *text = buf_str(&was->passwd); next_line(&text, &line);)
		if (is_ours(&line) && !user_named(u, line.name))
			put_keys(path_in(&home, place->homes, line.name), line.name, &none, 0, 0);
	buf_free(&home);
}

bool users_apply(const struct users *u, const struct users_place *place, struct buf *error)
{
	struct accounts was = {0}, is = {0};
	struct buf hash = BUF_INIT;

	if (!place->etc)
		return true;
	if (place->admin_hash && buf_read_file(&hash, place->admin_hash, 1024) && hash.len)
		buf_truncate(&hash, strcspn(buf_str(&hash), "\n"));
	bool ok = read_accounts(place->etc, &was, error);
	if (ok) {
		users_render(u, place, hash.len ? buf_str(&hash) : NULL, &was, &is);
		ok = write_accounts(place->etc, &was, &is, error);
	}
	if (ok)
		make_homes(u, place, &was, &is);
	accounts_free(&was);
	accounts_free(&is);
	buf_free(&hash);
	return ok;
}

/* ---- passwords ---- */

bool users_hash(const char *password, struct buf *out, struct buf *error)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	size_t len = strlen(password);

	if (len < PASSWORD_MIN || len > PASSWORD_MAX) {
		buf_printf(error, "a password has %d to %d characters\n", PASSWORD_MIN,
			   PASSWORD_MAX);
		return false;
	}
	data = calloc(1, sizeof(*data));
	if (!data)
		abort();
	const char *hash = crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting))
				   ? crypt_r(password, setting, data)
				   : NULL;
	if (hash && *hash != '*')
		buf_appends(out, hash);
	else
		buf_printf(error, "the password cannot be hashed: %s\n", strerror(errno));
	explicit_bzero(data, sizeof(*data));
	free(data);
	return out->len;
}

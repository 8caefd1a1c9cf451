/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/token.h"

#include <ctype.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

enum {
	VERSION = 1,
	NONCE_LEN = 12,
	GCM_TAG_LEN = 16,
	ACCOUNT_TAG_LEN = 4,
	KEY_LEN = 32,
	MAC_LEN = 32,
	SHA256_BLOCK = 64,
	HOST_MAX = 255,
	CLEAR_MAX = 1 + 5 + ACCOUNT_TAG_LEN,
	PLAIN_MAX = 1 + 10 + 5 + 5 + 10 + 3 + TOKEN_ACCOUNT_MAX + TOKEN_CAMPAIGN_MAX +
		    TOKEN_TAGS_MAX + TOKEN_URL_MAX,
};

/* HMAC-SHA256 (RFC 2104) with the key's two blocks hashed ahead: mbedTLS would do so again for
 * each link of each message. */
struct hmac_key {
	mbedtls_sha256_context inner, outer;
};

struct ring_key {
	uint32_t id;
	mbedtls_gcm_context gcm;
	struct hmac_key nonce, tag;
	/* The last account's: the links of one message have all the same. */
	char tagged[TOKEN_ACCOUNT_MAX];
	uint8_t account_tag[ACCOUNT_TAG_LEN];
};

struct token_ring {
	size_t count;
	struct ring_key keys[];
};

/* mbedTLS fails here only when it is out of memory or was built without a part. */
static void must(int status)
{
	if (status != 0)
		abort();
}

static void pad_open(mbedtls_sha256_context *c, const uint8_t *key, uint8_t pad)
{
	uint8_t block[SHA256_BLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < KEY_LEN; i++)
		block[i] ^= key[i];
	mbedtls_sha256_init(c);
	must(mbedtls_sha256_starts_ret(c, 0));
	must(mbedtls_sha256_update_ret(c, block, sizeof(block)));
	explicit_bzero(block, sizeof(block));
}

static void hmac_key_open(struct hmac_key *k, const uint8_t *key)
{
	pad_open(&k->inner, key, 0x36);
	pad_open(&k->outer, key, 0x5c);
}

static void hmac_key_close(struct hmac_key *k)
{
	mbedtls_sha256_free(&k->inner);
	mbedtls_sha256_free(&k->outer);
}

/* Of a and b, one behind the other. */
static void hmac(const struct hmac_key *k, const void *a, size_t a_len, const void *b, size_t b_len,
		 uint8_t mac[MAC_LEN])
{
	mbedtls_sha256_context c;

	mbedtls_sha256_init(&c);
	mbedtls_sha256_clone(&c, &k->inner);
	must(mbedtls_sha256_update_ret(&c, a, a_len));
	must(mbedtls_sha256_update_ret(&c, b, b_len));
	must(mbedtls_sha256_finish_ret(&c, mac));
	mbedtls_sha256_clone(&c, &k->outer);
	must(mbedtls_sha256_update_ret(&c, mac, MAC_LEN));
	must(mbedtls_sha256_finish_ret(&c, mac));
	mbedtls_sha256_free(&c);
}

static void key_open(struct ring_key *k, const struct token_key *from)
{
	static const char info[] = "gatepost tracking token";
	uint8_t derived[3 * KEY_LEN];

	must(mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), NULL, 0, from->secret,
			  sizeof(from->secret), (const uint8_t *)info, strlen(info), derived,
			  sizeof(derived)));
	k->id = from->id;
	mbedtls_gcm_init(&k->gcm);
	must(mbedtls_gcm_setkey(&k->gcm, MBEDTLS_CIPHER_ID_AES, derived, KEY_LEN * 8));
	hmac_key_open(&k->nonce, derived + KEY_LEN);
	hmac_key_open(&k->tag, derived + 2 * KEY_LEN);
	explicit_bzero(derived, sizeof(derived));
}

struct token_ring *token_ring_new(const struct token_key *keys, size_t count)
{
	struct token_ring *r = calloc(1, sizeof(*r) + count * sizeof(r->keys[0]));

	if (!r)
		abort();
	for (size_t i = 0; i < count; i++)
		if (!token_ring_has(r, keys[i].id))
			key_open(&r->keys[r->count++], &keys[i]);
	return r;
}

void token_ring_free(struct token_ring *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++) {
		mbedtls_gcm_free(&r->keys[i].gcm);
		hmac_key_close(&r->keys[i].nonce);
		hmac_key_close(&r->keys[i].tag);
	}
	free(r);
}

static struct ring_key *find_key(const struct token_ring *r, uint32_t id)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->keys[i].id == id)
			return (struct ring_key *)&r->keys[i];
	return NULL;
}

bool token_ring_has(const struct token_ring *r, uint32_t key_id)
{
	return find_key(r, key_id) != NULL;
}

/* --- fields ------------------------------------------------------------------------------ */

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_bytes(uint8_t *p, const char *s, size_t n)
{
	memcpy(p, s, n);
	return p + n;
}

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t get_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	r->failed = true;
	return 0;
}

static void get_string(struct reader *r, size_t n, char *out, size_t cap)
{
	if ((size_t)(r->end - r->at) < n || n >= cap || memchr(r->at, '\0', n)) {
		r->failed = true;
		return;
	}
	memcpy(out, r->at, n);
	out[n] = '\0';
	r->at += n;
}

static bool encode(const struct token *t, uint8_t plain[PLAIN_MAX], size_t *len)
{
	size_t account = strnlen(t->account, TOKEN_ACCOUNT_MAX);
	size_t campaign = strnlen(t->campaign, TOKEN_CAMPAIGN_MAX);
	size_t tags = strnlen(t->tags, TOKEN_TAGS_MAX);
	size_t url = strnlen(t->url, TOKEN_URL_MAX);
	uint8_t *p = plain;

	if (account == TOKEN_ACCOUNT_MAX || campaign == TOKEN_CAMPAIGN_MAX ||
	    tags == TOKEN_TAGS_MAX || url == TOKEN_URL_MAX)
		return false;
	*p++ = (uint8_t)t->kind;
	p = put_varint(p, t->message);
	p = put_varint(p, t->recipient);
	p = put_varint(p, t->link);
	p = put_varint(p, (uint64_t)t->accepted);
	p = put_varint(p, account);
	p = put_bytes(p, t->account, account);
	p = put_varint(p, campaign);
	p = put_bytes(p, t->campaign, campaign);
	p = put_varint(p, tags);
	p = put_bytes(p, t->tags, tags);
	p = put_bytes(p, t->url, url);
	*len = (size_t)(p - plain);
	return true;
}

static bool decode(const uint8_t *plain, size_t n, struct token *t)
{
	struct reader r = {plain + 1, plain + n, n == 0};
	uint64_t recipient, link;

	if (r.failed || plain[0] < TOKEN_OPEN || plain[0] > TOKEN_UNSUBSCRIBE)
		return false;
	t->kind = plain[0];
	t->message = get_varint(&r);
	recipient = get_varint(&r);
	link = get_varint(&r);
	t->accepted = (int64_t)get_varint(&r);
	get_string(&r, get_varint(&r), t->account, sizeof(t->account));
	get_string(&r, get_varint(&r), t->campaign, sizeof(t->campaign));
	get_string(&r, get_varint(&r), t->tags, sizeof(t->tags));
	get_string(&r, (size_t)(r.end - r.at), t->url, sizeof(t->url));
	t->recipient = (uint32_t)recipient;
	t->link = (uint32_t)link;
	return !r.failed && recipient <= UINT32_MAX && link <= UINT32_MAX;
}

/* --- base64url (RFC 4648 §5), no padding ------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode_base64url(const uint8_t *p, size_t n, struct buf *out)
{
	buf_reserve(out, n / 3 * 4 + 4);
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16;
		bits |= have > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= have > 2 ? p[i + 2] : 0;
		const char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
				       digits[bits >> 6 & 63], digits[bits & 63]};
		memcpy(out->data + out->len, group, sizeof(group));
		out->len += have + 1;
	}
	out->data[out->len] = '\0';
}

static int digit_value(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '-'             ? 62
	       : c == '_'             ? 63
				      : -1;
}

/* Only the one spelling that the encoder gives: left-over bits are 0. */
static bool decode_base64url(const char *s, size_t n, struct buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	buf_reserve(out, n);
	for (size_t i = 0; i < n; i++) {
		int v = digit_value(s[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		buf_appendc(out, (char)(bits >> have));
		bits &= (1u << have) - 1;
	}
	return bits == 0 && have < 6;
}

/* --- sealing ----------------------------------------------------------------------------- */

/* The part before the nonce, and the host behind it: what is bound but not hidden. */
struct aad {
	uint8_t bytes[CLEAR_MAX + HOST_MAX];
	size_t clear_len, len;
};

static bool add_host(struct aad *a, const char *host)
{
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (n > HOST_MAX || n > strlen(host))
		return false;
	a->len = a->clear_len;
	for (size_t i = 0; i < n; i++)
		a->bytes[a->len++] = (uint8_t)tolower((unsigned char)host[i]);
	return true;
}

/* account: shorter than TOKEN_ACCOUNT_MAX. */
static const uint8_t *account_tag(struct ring_key *k, const char *account)
{
	uint8_t mac[MAC_LEN];

	if (*account && strcmp(account, k->tagged) == 0)
		return k->account_tag;
	hmac(&k->tag, account, strlen(account), NULL, 0, mac);
	memcpy(k->account_tag, mac, ACCOUNT_TAG_LEN);
	strcpy(k->tagged, account);
	return k->account_tag;
}

static void make_nonce(const struct ring_key *k, const struct aad *a, const uint8_t *plain,
		       size_t n, uint8_t out[NONCE_LEN])
{
	uint8_t mac[MAC_LEN];

	hmac(&k->nonce, a->bytes, a->len, plain, n, mac);
	memcpy(out, mac, NONCE_LEN);
}

bool token_seal(struct token_ring *r, uint32_t key_id, const char *host, const struct token *t,
		struct buf *out)
{
	uint8_t plain[PLAIN_MAX], sealed[CLEAR_MAX + NONCE_LEN + PLAIN_MAX + GCM_TAG_LEN];
	struct ring_key *k = find_key(r, key_id);
	struct aad a;
	size_t n;

	if (!k || !encode(t, plain, &n))
		return false;
	a.bytes[0] = VERSION;
	uint8_t *p = put_varint(a.bytes + 1, key_id);
	memcpy(p, account_tag(k, t->account), ACCOUNT_TAG_LEN);
	a.clear_len = (size_t)(p - a.bytes) + ACCOUNT_TAG_LEN;
	if (!add_host(&a, host))
		return false;
	memcpy(sealed, a.bytes, a.clear_len);
	uint8_t *nonce = sealed + a.clear_len, *text = nonce + NONCE_LEN;
	make_nonce(k, &a, plain, n, nonce);
	must(mbedtls_gcm_crypt_and_tag(&k->gcm, MBEDTLS_GCM_ENCRYPT, n, nonce, NONCE_LEN, a.bytes,
				       a.len, plain, text, GCM_TAG_LEN, text + n));
	encode_base64url(sealed, (size_t)(text - sealed) + n + GCM_TAG_LEN, out);
	return true;
}

/* bytes: a whole token, decoded. */
static bool open_sealed(struct token_ring *r, const char *host, const uint8_t *bytes, size_t len,
			struct token *out)
{
	struct reader in = {bytes + 1, bytes + len, len == 0};
	uint8_t plain[PLAIN_MAX], check[NONCE_LEN];
	struct aad a;

	if (in.failed || bytes[0] != VERSION)
		return false;
	uint64_t id = get_varint(&in);
	struct ring_key *k = id <= UINT32_MAX && !in.failed ? find_key(r, (uint32_t)id) : NULL;
	if (!k || in.end - in.at < ACCOUNT_TAG_LEN + NONCE_LEN + GCM_TAG_LEN)
		return false;
	const uint8_t *seen_tag = in.at, *nonce = seen_tag + ACCOUNT_TAG_LEN;
	const uint8_t *text = nonce + NONCE_LEN;
	size_t n = (size_t)(in.end - text) - GCM_TAG_LEN;
	a.clear_len = (size_t)(nonce - bytes);
	if (n > sizeof(plain) || a.clear_len > CLEAR_MAX)
		return false;
	memcpy(a.bytes, bytes, a.clear_len);
	if (!add_host(&a, host) ||
	    mbedtls_gcm_auth_decrypt(&k->gcm, n, nonce, NONCE_LEN, a.bytes, a.len, text + n,
				     GCM_TAG_LEN, text, plain) != 0)
		return false;
	make_nonce(k, &a, plain, n, check);
	if (memcmp(check, nonce, NONCE_LEN) != 0 || !decode(plain, n, out))
		return false;
	return memcmp(account_tag(k, out->account), seen_tag, ACCOUNT_TAG_LEN) == 0;
}

bool token_open(struct token_ring *r, const char *host, const char *text, size_t n,
		struct token *out)
{
	struct buf bytes = BUF_INIT;
	struct token t = {0};
	bool ok = n <= TOKEN_TEXT_MAX && decode_base64url(text, n, &bytes) &&
		  open_sealed(r, host, (const uint8_t *)buf_str(&bytes), bytes.len, &t);

	if (ok)
		*out = t;
	buf_free(&bytes);
	return ok;
}

/* --- URLs -------------------------------------------------------------------------------- */

static const char kind_letters[] = {
	[TOKEN_OPEN] = 'o',
	[TOKEN_CLICK] = 'c',
	[TOKEN_UNSUBSCRIBE] = 'u',
};

void token_url(bool https, const char *host, enum token_kind kind, const char *token,
	       struct buf *out)
{
	buf_appends(out, https ? "https://" : "http://");
	buf_appends(out, host);
	buf_append(out, (char[]){'/', kind_letters[kind], '/'}, 3);
	buf_appends(out, token);
}

bool token_path(const char *path, size_t n, enum token_kind *kind, const char **token,
		size_t *token_len)
{
	if (n < 4 || path[0] != '/' || path[2] != '/')
		return false;
	const char *letter = memchr(kind_letters + 1, path[1], sizeof(kind_letters) - 1);
	size_t len = 0;
	while (3 + len < n && digit_value(path[3 + len]) >= 0)
		len++;
	if (!letter || len == 0 || (3 + len < n && path[3 + len] != '?'))
		return false;
	*kind = (enum token_kind)(letter - kind_letters);
	*token = path + 3;
	*token_len = len;
	return true;
}

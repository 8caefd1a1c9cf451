/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/bot.h"

#include <string.h>

enum {
	TEXT_MAX = 512, /* of a User-Agent, the rest tells nothing more */
	TOO_SOON_S = 2, /* nobody has read anything this soon after it was accepted */
};

enum test {
	TEST_END, /* fits always */
	TEST_HEAD,
	TEST_PURPOSE, /* contains */
	TEST_AGENT,   /* contains */
	TEST_AGENT_IS,
	TEST_NET,
	TEST_TOO_SOON,
};

/* Texts in lower case. */
static const struct rule {
	enum test test;
	const char *text;
	enum hit_class class;
	const char *reason;
} rules[] = {
	{TEST_HEAD, "", HIT_SCANNER, "HEAD request"},
	{TEST_PURPOSE, "prefetch", HIT_PREFETCH, "the request says prefetch"},
	{TEST_PURPOSE, "prerender", HIT_PREFETCH, "the request says prerender"},
	{TEST_PURPOSE, "preview", HIT_PREFETCH, "the request says preview"},

	{TEST_AGENT, "googleimageproxy", HIT_PROXY, "Gmail's image proxy"},
	{TEST_AGENT, "via ggpht.com", HIT_PROXY, "Gmail's image proxy"},
	{TEST_AGENT, "yahoomailproxy", HIT_PROXY, "Yahoo's image proxy"},
	{TEST_AGENT, "seznamemailproxy", HIT_PROXY, "Seznam's image proxy"},
	{TEST_AGENT, "yandeximageresizer", HIT_PROXY, "Yandex's image proxy"},

	/* Gmail loads images ahead for who is signed in, under one odd name of its own. */
	{TEST_AGENT, "edge/12.246 mozilla/5.0", HIT_PREFETCH, "Gmail's prefetch"},
	/* Mail Privacy Protection leaves nothing but this of the User-Agent. */
	{TEST_AGENT_IS, "mozilla/5.0", HIT_PREFETCH, "Apple Mail Privacy Protection"},

	{TEST_AGENT, "barracuda", HIT_SCANNER, "Barracuda"},
	{TEST_AGENT, "proofpoint", HIT_SCANNER, "Proofpoint"},
	{TEST_AGENT, "mimecast", HIT_SCANNER, "Mimecast"},
	{TEST_AGENT, "ironport", HIT_SCANNER, "Cisco Secure Email"},
	{TEST_AGENT, "ciscosecureemail", HIT_SCANNER, "Cisco Secure Email"},
	{TEST_AGENT, "trendmicro", HIT_SCANNER, "Trend Micro"},
	{TEST_AGENT, "trend micro", HIT_SCANNER, "Trend Micro"},
	{TEST_AGENT, "symantec", HIT_SCANNER, "Symantec"},
	{TEST_AGENT, "messagelabs", HIT_SCANNER, "Symantec"},
	{TEST_AGENT, "fireeye", HIT_SCANNER, "FireEye"},
	{TEST_AGENT, "fortinet", HIT_SCANNER, "Fortinet"},
	{TEST_AGENT, "fortiguard", HIT_SCANNER, "Fortinet"},
	{TEST_AGENT, "sophos", HIT_SCANNER, "Sophos"},
	{TEST_AGENT, "cloudmark", HIT_SCANNER, "Cloudmark"},
	{TEST_AGENT, "zscaler", HIT_SCANNER, "Zscaler"},
	{TEST_AGENT, "hornetsecurity", HIT_SCANNER, "Hornetsecurity"},
	{TEST_AGENT, "vadesecure", HIT_SCANNER, "Vade"},
	{TEST_AGENT, "checkpoint", HIT_SCANNER, "Check Point"},
	{TEST_AGENT, "avanan", HIT_SCANNER, "Check Point"},
	{TEST_AGENT, "bingpreview", HIT_SCANNER, "Microsoft's preview"},
	{TEST_AGENT, "skypeuripreview", HIT_SCANNER, "Microsoft's preview"},
	{TEST_AGENT, "existence discovery", HIT_SCANNER, "Office looks before it opens"},
	{TEST_AGENT, "google-safety", HIT_SCANNER, "Google Safety"},
	{TEST_AGENT, "googlesecurityscanner", HIT_SCANNER, "Google's scanner"},

	{TEST_AGENT, "facebookexternal", HIT_SCANNER, "link preview of Facebook"},
	{TEST_AGENT, "whatsapp/", HIT_SCANNER, "link preview of WhatsApp"},
	{TEST_AGENT, "telegrambot", HIT_SCANNER, "link preview of Telegram"},
	{TEST_AGENT, "slackbot", HIT_SCANNER, "link preview of Slack"},
	{TEST_AGENT, "discordbot", HIT_SCANNER, "link preview of Discord"},
	{TEST_AGENT, "linkedinbot", HIT_SCANNER, "link preview of LinkedIn"},

	{TEST_AGENT, "headlesschrome", HIT_SCANNER, "a browser without a screen"},
	{TEST_AGENT, "phantomjs", HIT_SCANNER, "a browser without a screen"},
	{TEST_AGENT, "+http", HIT_SCANNER, "a crawler: it names its page"},
	{TEST_AGENT, "bot/", HIT_SCANNER, "a crawler by its name"},
	{TEST_AGENT, "crawler", HIT_SCANNER, "a crawler by its name"},
	{TEST_AGENT, "spider", HIT_SCANNER, "a crawler by its name"},
	{TEST_AGENT, "curl/", HIT_SCANNER, "a program: curl"},
	{TEST_AGENT, "wget/", HIT_SCANNER, "a program: Wget"},
	{TEST_AGENT, "python", HIT_SCANNER, "a program: Python"},
	{TEST_AGENT, "aiohttp", HIT_SCANNER, "a program: Python"},
	{TEST_AGENT, "go-http-client", HIT_SCANNER, "a program: Go"},
	{TEST_AGENT, "java/", HIT_SCANNER, "a program: Java"},
	{TEST_AGENT, "apache-httpclient", HIT_SCANNER, "a program: Java"},
	{TEST_AGENT, "libwww-perl", HIT_SCANNER, "a program: Perl"},
	{TEST_AGENT, "guzzlehttp", HIT_SCANNER, "a program: PHP"},
	{TEST_AGENT, "axios/", HIT_SCANNER, "a program: JavaScript"},
	{TEST_AGENT, "node-fetch", HIT_SCANNER, "a program: JavaScript"},

	/* Published by their owners as where their mail filters live. */
	{TEST_NET, "40.92.0.0/15", HIT_SCANNER, "address of Exchange Online Protection"},
	{TEST_NET, "40.107.0.0/16", HIT_SCANNER, "address of Exchange Online Protection"},
	{TEST_NET, "52.100.0.0/14", HIT_SCANNER, "address of Exchange Online Protection"},
	{TEST_NET, "104.47.0.0/17", HIT_SCANNER, "address of Exchange Online Protection"},
	{TEST_NET, "64.235.144.0/20", HIT_SCANNER, "address of Barracuda"},
	{TEST_NET, "209.222.80.0/21", HIT_SCANNER, "address of Barracuda"},
	{TEST_NET, "67.231.144.0/20", HIT_SCANNER, "address of Proofpoint"},
	{TEST_NET, "148.163.128.0/19", HIT_SCANNER, "address of Proofpoint"},
	{TEST_TOO_SOON, "", HIT_SCANNER, "sooner than anybody could read it"},

	{TEST_AGENT_IS, "", HIT_UNKNOWN, "no User-Agent"},
	{TEST_AGENT, "thunderbird/", HIT_PERSON, "mail client: Thunderbird"},
	{TEST_AGENT, "microsoft outlook", HIT_PERSON, "mail client: Outlook"},
	{TEST_AGENT, "ms-office", HIT_PERSON, "mail client: Outlook"},
	{TEST_AGENT, "msoffice", HIT_PERSON, "mail client: Outlook"},
	{TEST_AGENT, "outlook-ios", HIT_PERSON, "mail client: Outlook"},
	{TEST_AGENT, "outlook-android", HIT_PERSON, "mail client: Outlook"},
	{TEST_AGENT, "lotus-notes", HIT_PERSON, "mail client: Notes"},
	{TEST_AGENT, "airmail", HIT_PERSON, "mail client: Airmail"},
	{TEST_AGENT, "cfnetwork/", HIT_PERSON, "an app on an Apple device"},
	{TEST_AGENT, "edg/", HIT_PERSON, "browser: Edge"},
	{TEST_AGENT, "firefox/", HIT_PERSON, "browser: Firefox"},
	{TEST_AGENT, "chrome/", HIT_PERSON, "browser: Chrome or a kin of it"},
	{TEST_AGENT, "safari/", HIT_PERSON, "browser: Safari"},
	{TEST_AGENT, "applewebkit/", HIT_PERSON, "mail client or browser: WebKit"},
	{TEST_AGENT, "trident/", HIT_PERSON, "browser: Internet Explorer"},
	{TEST_AGENT, "msie ", HIT_PERSON, "browser: Internet Explorer"},
	{TEST_AGENT, "opera/", HIT_PERSON, "browser: Opera"},
	{TEST_END, "", HIT_UNKNOWN, "a User-Agent that is not known"},
};

enum { RULES = sizeof(rules) / sizeof(*rules) };

/* Texts measured and networks parsed, once. */
static struct {
	bool done;
	size_t len[RULES];
	struct prefix net[RULES];
} ready;

static void make_ready(void)
{
	for (size_t i = 0; i < RULES; i++) {
		ready.len[i] = strlen(rules[i].text);
		if (rules[i].test == TEST_NET)
			prefix_parse(rules[i].text, &ready.net[i]);
	}
	ready.done = true;
}

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void lower(struct http_slice from, struct text *to)
{
	to->len = from.len < TEXT_MAX ? from.len : TEXT_MAX;
	for (size_t i = 0; i < to->len; i++) {
		char c = from.at[i];
		to->bytes[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
}

static bool contains(const struct text *t, size_t rule)
{
	return t->len && memmem(t->bytes, t->len, rules[rule].text, ready.len[rule]);
}

static bool fits(size_t i, const struct hit *h, const struct text *agent,
		 const struct text *purpose)
{
	switch (rules[i].test) {
	case TEST_HEAD:
		return h->head;
	case TEST_PURPOSE:
		return contains(purpose, i);
	case TEST_AGENT:
		return contains(agent, i);
	case TEST_AGENT_IS:
		return agent->len == ready.len[i] &&
		       !memcmp(agent->bytes, rules[i].text, agent->len);
	case TEST_NET:
		return prefix_contains(&ready.net[i], &h->client);
	case TEST_TOO_SOON:
		return h->age_s >= 0 && h->age_s < TOO_SOON_S;
	case TEST_END:
		break;
	}
	return true;
}

enum hit_class hit_classify(const struct hit *h, const char **reason)
{
	struct text agent, purpose;
	size_t i = 0;

	if (!ready.done)
		make_ready();
	lower(h->user_agent, &agent);
	lower(h->purpose, &purpose);
	while (!fits(i, h, &agent, &purpose))
		i++;
	*reason = rules[i].reason;
	return rules[i].class;
}

const char *hit_class_name(uint8_t c)
{
	static const char *const names[] = {
		[HIT_UNKNOWN] = "unknown",   [HIT_PERSON] = "person",   [HIT_PROXY] = "proxy",
		[HIT_PREFETCH] = "prefetch", [HIT_SCANNER] = "scanner",
	};

	return c < sizeof(names) / sizeof(*names) ? names[c] : names[HIT_UNKNOWN];
}

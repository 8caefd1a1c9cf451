/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/trackers.h"

#include "relay/track/url.h"

#include <string.h>
#include <strings.h>

/*
 * The host is this or ends in "." and this; "" is any, for services that use their customers'
 * host names. The path begins with that.
 */
static const struct {
	const char *host, *path;
} trackers[] = {
	{"awstrack.me", "/L0/"},
	{"list-manage.com", "/track/click"},
	{"mandrillapp.com", "/track/click"},
	{"sendgrid.net", "/ls/click"},
	{"sendgrid.net", "/wf/click"},
	{"", "/ls/click?upn="},
	{"", "/wf/click?upn="},
	{"pstmrk.it", "/"},
	{"hubspotlinks.com", "/"},
	{"hubspotemail.net", "/"},
	{"sendibt2.com", "/tr/cl/"},
	{"sendibt3.com", "/tr/cl/"},
	{"sendibm1.com", "/mk/cl/"},
	{"mjt.lu", "/lnk/"},
	{"", "/lnk/AA"},
	{"cmail19.com", "/t/"},
	{"cmail20.com", "/t/"},
	{"createsend1.com", "/t/"},
	{"rs6.net", "/tn.jsp"},
	{"klclick.com", "/"},
	{"klclick1.com", "/"},
	{"exct.net", "/"},
	{"mailgun.org", "/c/"},
	{"sparkpostmail.com", "/f/a/"},
	{"click.icptrack.com", "/"},
	{"mailchi.mp", "/track/click"},
	{"safelinks.protection.outlook.com", "/"},
	{"urldefense.proofpoint.com", "/v"},
	{"urldefense.com", "/v3/"},
	{"protect.mimecast.com", "/s/"},
	{"linkprotect.cudasvc.com", "/url"},
	{"secure-web.cisco.com", "/"},
};

static bool host_fits(const char *host, size_t n, const char *wanted)
{
	size_t len = strlen(wanted);

	if (len == 0)
		return true;
	if (n < len || strncasecmp(host + n - len, wanted, len) != 0)
		return false;
	return n == len || host[n - len - 1] == '.';
}

bool tracker_made(const char *url, size_t n)
{
	size_t start, end;

	if (!url_host(url, n, &start, &end))
		return false;
	size_t path = end;
	while (path < n && url[path] != '/')
		path++;
	for (size_t i = 0; i < sizeof(trackers) / sizeof(*trackers); i++) {
		size_t len = strlen(trackers[i].path);
		if (host_fits(url + start, end - start, trackers[i].host) && n - path > len &&
		    strncmp(url + path, trackers[i].path, len) == 0)
			return true;
	}
	return false;
}

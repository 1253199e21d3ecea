/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "url.h"

#include <gantry/buf.h>

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

char *url_join(const char *base, const char *to)
{
	CURLU *u = curl_url();
	char *text = NULL, *scheme = NULL, *out = NULL;

	if (!u)
		abort(); /* memory */
	if (!curl_url_set(u, CURLUPART_URL, base, 0) && !curl_url_set(u, CURLUPART_URL, to, 0) &&
	    !curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) &&
	    !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
	    (!strcmp(scheme, "http") || !strcmp(scheme, "https")) &&
	    /* userinfo in a redirect would be somebody else's credentials */
	    !curl_url_set(u, CURLUPART_USER, NULL, 0) &&
	    !curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) && !curl_url_get(u, CURLUPART_URL, &text, 0))
		out = gt_xstrdup(text);
	curl_free(text);
	curl_free(scheme);
	curl_url_cleanup(u);
	return out;
}

char *url_site(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len = host ? host + 3 - url + strcspn(host + 3, "/?#") : strcspn(url, "/?#");

	return gt_xstrndup(url, len);
}

bool url_is_same_site(const char *a, const char *b)
{
	gt_autofree char *x = url_join(a, ""), *y = url_join(b, "");
	gt_autofree char *p = url_site(x ? x : a), *q = url_site(y ? y : b);

	return !strcasecmp(p, q);
}

bool url_authority_is_loopback(const char *authority)
{
	size_t len = *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":");
	gt_autofree char *name = gt_xstrndup(authority, len);

	return !strcasecmp(name, "localhost") || !strcmp(name, "[::1]") ||
	       (!strncmp(name, "127.", 4) && strspn(name, "0123456789.") == strlen(name));
}

bool url_is_loopback(const char *url)
{
	gt_autofree char *site = url_site(url);
	const char *authority = strstr(site, "://");

	return url_authority_is_loopback(authority ? authority + 3 : site);
}

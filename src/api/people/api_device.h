/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_device.h: browsers in which an account signed in before.
 *
 * A cookie says so: a random number and a MAC over it, the account and its password hash. Nothing
 * is stored, and a new password ends all of them. Failed logins of such a browser are counted for
 * itself (store_login.c), so that others behind the same address cannot lock it out. The cookie
 * opens nothing: whoever steals it has a few tries more, with the same back-off.
 */
#ifndef API_PEOPLE_API_DEVICE_H
#define API_PEOPLE_API_DEVICE_H

#include "api/api_call.h"

/* Where failures of this request are counted; user: NULL when the name is not known. */
const char *api_device_from(struct api_call *call, const struct store_user *user);
/* Remember this browser, if it is not; user->password_hash must be the one of today. */
void api_device_remember(struct api_call *call, const struct store_user *user);

#endif

/* SPDX-License-Identifier: PostgreSQL */
/* store_setting.h: named facts about the installation. */
#ifndef STORE_STORE_SETTING_H
#define STORE_STORE_SETTING_H

#include "store/store.h"

/* There while the store is a copy that has not come to its end (store/transfer). */
#define STORE_COPY_MARK "copy"
/* Of which store it is a copy: the epoch of that one. */
#define STORE_COPY_OF "copied"

/* ERR_NOT_FOUND. Lives in `a`. */
enum err_code store_setting_get(struct store *s, struct arena *a, const char *name,
                                const char **value, struct err *e) ERR_MUST_CHECK;
/* Between store_begin and store_end. */
enum err_code store_setting_put(struct sqldb *db, const char *name, const char *value,
                                struct err *e) ERR_MUST_CHECK;

#endif

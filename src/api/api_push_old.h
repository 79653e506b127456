/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_push_old.h: pushes of the older forms ({"metrics": [...]}) as pushes of one record.
 *
 * Part of the push route. Everything lives in the request's arena and the document.
 */
#ifndef API_API_PUSH_OLD_H
#define API_API_PUSH_OLD_H

#include "api/api_call.h"
#include "model/flatten.h"

struct api_push_old {
    struct str text;         /* set by the caller: the body, inflated, */
    const struct json *root; /* and the same, parsed */
    struct flatten flat;
    bool announces; /* the record names the targets */
    uint64_t print; /* of what it says of them */
};

/*
 * Fill `push`, whose collector is that of the call.
 * Errors: ERR_INVALID, ERR_LIMIT, ERR_DENIED when the body names another collector
 */
enum err_code api_push_old_read(struct api_call *call, struct api_push_old *old, struct push *push,
                                struct err *e) ERR_MUST_CHECK;
/* The record was stored. */
void api_push_old_stored(struct api_call *call, const struct api_push_old *old);
/* A target of this collector was deleted: the next record names its targets again. */
void api_push_old_forget(struct api *api, const char *collector_id);
/* What was not taken, as the answer's errors. */
void api_push_old_errors(const struct api_push_old *old, struct json_writer *w);

#endif

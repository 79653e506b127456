/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_push_old.h: pushes of the older forms ({"metrics": [...]}) as pushes of one record.
 *
 * Part of the push route. Everything lives in the request's arena and the document.
 */
#ifndef API_API_PUSH_OLD_H
#define API_API_PUSH_OLD_H

#include "api/api_call.h"
#include "model/flatten_form.h"

struct api_push_old {
    struct str text;         /* set by the caller: the body, inflated, */
    const struct json *root; /* and the same, parsed */
    struct flatten flat;
    struct flatten_form *form; /* of this push, when it has one; api_push_old_end gives it back */
    bool fits;                 /* the push had it already: there was no need to parse */
    bool asked, learns;        /* a form was asked for; one is to be learned */
    bool announces;            /* the record names the targets */
    uint64_t print;            /* of what it says of them */
};

/*
 * As api_push_old_read, of a text that was not parsed. *known: it has the form of the collector's
 * last push, and `push` is filled; otherwise it is to be parsed.
 */
enum err_code api_push_old_known(struct api_call *call, struct api_push_old *old, struct push *push,
                                 bool *known, struct err *e) ERR_MUST_CHECK;
/* The store has other rows than the form: it is of no use. */
void api_push_old_unknown(struct api_push_old *old);
/* In any case, at last. */
void api_push_old_end(struct api_call *call, struct api_push_old *old);
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

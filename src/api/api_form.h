/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_form.h: of each collector that pushes loose samples, the form of its last push
 * (model/flatten_form.h).
 *
 * Owner: a form that was taken is the caller's, until it gives it back; another push of the same
 * collector meanwhile finds none. What nobody asked for in a while goes, and all of them together
 * have a bound.
 * Threads: any.
 */
#ifndef API_API_FORM_H
#define API_API_FORM_H

#include "model/flatten_form.h"

struct api_forms;

struct api_forms *api_forms_new(void);
void api_forms_free(struct api_forms *forms); /* NULL allowed */

/* NULL: there is none. *learn: it is worth trying to learn one, should the form not fit. */
struct flatten_form *api_form_take(struct api_forms *forms, const char *collector_id, bool *learn);
enum api_form_use {
    API_FORM_FITS,  /* the push had the form that was taken */
    API_FORM_MISSED /* it had another, or there was none */
};
/* `form` is the old or a new one; NULL: there is none. */
void api_form_give(struct api_forms *forms, const char *collector_id, struct flatten_form *form,
                   enum api_form_use use);
/* Drop those that were not used of late. */
void api_forms_trim(struct api_forms *forms);

#endif

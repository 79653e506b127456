/* SPDX-License-Identifier: PostgreSQL */
/* eval_info.c: to come. */
#include "promql/eval.h"

enum err_code eval_info(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    return eval_vec(ev, x->u.call.args[0], out);
}

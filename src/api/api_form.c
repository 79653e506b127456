/* SPDX-License-Identifier: PostgreSQL */
/* api_form.c: see the header. */
#include "api/api_form.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/thread.h"
#include "os/clock.h"

#define FORMS_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define FORMS_MAX       100000
#define IDLE_MS         (15 * 60 * (int64_t)1000)
#define MISSES_FREE     4  /* a collector whose pushes all differ is not learned each time, */
#define MISSES_STEP     16 /* but now and then */

struct api_form {
    struct flatten_form *form; /* NULL: none, or a push has it */
    unsigned misses;           /* in a row */
    int64_t used_mono_ms;
};

struct api_forms {
    struct lock lock;
    struct map *by_collector;
    size_t bytes; /* of all that are here */
};

static void free_entry(void *value)
{
    struct api_form *entry = value;

    if (entry)
        flatten_form_free(entry->form);
    alloc_free(entry);
}

struct api_forms *api_forms_new(void)
{
    struct api_forms *forms = alloc_new(sizeof(*forms));

    lock_init(&forms->lock, "api.forms", 53);
    forms->by_collector = map_new();
    return forms;
}

void api_forms_free(struct api_forms *forms)
{
    if (!forms)
        return;
    map_free(forms->by_collector, free_entry);
    lock_fini(&forms->lock);
    alloc_free(forms);
}

/* The form leaves its entry. */
static struct flatten_form *take_out(struct api_forms *forms, struct api_form *entry)
{
    struct flatten_form *form = entry->form;

    if (form)
        forms->bytes -= flatten_form_bytes(form);
    entry->form = NULL;
    return form;
}

struct flatten_form *api_form_take(struct api_forms *forms, const char *collector_id, bool *learn)
{
    struct flatten_form *form = NULL;
    struct api_form *entry;

    *learn = true;
    lock_take(&forms->lock);
    entry = map_get(forms->by_collector, str_of(collector_id));
    if (entry) {
        form = take_out(forms, entry);
        *learn = entry->misses < MISSES_FREE || entry->misses % MISSES_STEP == 0;
    }
    lock_release(&forms->lock);
    return form;
}

/* NULL when there are too many already. */
static struct api_form *entry_of(struct api_forms *forms, struct str collector)
{
    struct api_form *entry = map_get(forms->by_collector, collector);

    if (!entry && map_count(forms->by_collector) < FORMS_MAX) {
        entry = alloc_new(sizeof(*entry));
        (void)map_put(forms->by_collector, collector, entry);
    }
    return entry;
}

void api_form_give(struct api_forms *forms, const char *collector_id, struct flatten_form *form,
                   enum api_form_use use)
{
    struct flatten_form *old = NULL;
    struct api_form *entry;

    lock_take(&forms->lock);
    entry = entry_of(forms, str_of(collector_id));
    if (entry) {
        entry->misses = use == API_FORM_FITS ? 0 : entry->misses + 1;
        entry->used_mono_ms = clock_mono_ms();
        old = take_out(forms, entry); /* of another push that came meanwhile */
        if (form && forms->bytes + flatten_form_bytes(form) <= FORMS_BYTES_MAX) {
            forms->bytes += flatten_form_bytes(form);
            entry->form = form;
            form = NULL;
        }
    }
    lock_release(&forms->lock);
    flatten_form_free(old);
    flatten_form_free(form);
}

/* Caller holds the lock. NULL when there is no more of them. */
static struct api_form *take_idle(struct api_forms *forms, int64_t before_ms)
{
    struct str key;
    size_t pos = 0;
    void *value;

    while (map_next(forms->by_collector, &pos, &key, &value)) {
        const struct api_form *entry = value;

        if (entry->used_mono_ms < before_ms)
            return map_remove(forms->by_collector, key);
    }
    return NULL;
}

void api_forms_trim(struct api_forms *forms)
{
    int64_t before_ms = clock_mono_ms() - IDLE_MS;
    struct api_form *entry;

    do {
        lock_take(&forms->lock);
        entry = take_idle(forms, before_ms);
        if (entry && entry->form)
            forms->bytes -= flatten_form_bytes(entry->form);
        lock_release(&forms->lock);
        free_entry(entry);
    } while (entry);
}

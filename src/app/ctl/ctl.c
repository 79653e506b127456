/* SPDX-License-Identifier: PostgreSQL */
/*
 * ctl.c: `pga ctl`: finds the command, parses its options, runs it, gives the exit code.
 *
 * How to add a command: one file cmd_<noun>_<verb>.c with a `const struct ctl_command
 * ctl_command_<noun>_<verb>`, one line in commands.list. Help comes from the struct.
 */
#include "app/ctl/ctl.h"

#include "app/ctl/output.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_CAP ((size_t)256 * 1024 * 1024)

#define CTL_COMMAND(name) extern const struct ctl_command ctl_command_##name;
#include "app/ctl/commands.list"
#undef CTL_COMMAND

const struct ctl_command *const ctl_commands[] = {
#define CTL_COMMAND(name) &ctl_command_##name,
#include "app/ctl/commands.list"
#undef CTL_COMMAND
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);

const struct ctl_option ctl_global_options[] = {
    {"context", "NAME", "use this context instead of the current one"},
    {"server", "URL", "talk to this server (also PGA_SERVER)"},
    {"ca-file", "FILE",
     "authorities (PEM) by which an https server is verified (also PGA_CA_FILE)"},
    {"output", "FORMAT", "table, json, jsonl or csv; short form -o"},
    {"watch", "[=TIME]", "again and again, every 2 s or as said, until Ctrl-C"},
    {"help", NULL, "show help"},
    {NULL, NULL, NULL},
};

int app_ctl_main(int argc, char **argv);

const char *ctl_option(const struct ctl *ctl, const char *name)
{
    for (size_t i = ctl->option_count; i-- > 0;) {
        if (strcmp(ctl->option_names[i], name) == 0) {
            return ctl->option_values[i];
        }
    }
    return NULL;
}

const char *ctl_option_or(const struct ctl *ctl, const char *name, const char *fallback)
{
    const char *value = ctl_option(ctl, name);
    return value ? value : fallback;
}

int ctl_exit_code(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return CTL_OK;
    case ERR_NOT_FOUND:
        return CTL_NOT_FOUND;
    case ERR_DENIED:
        return CTL_AUTH;
    case ERR_CONFLICT:
        return CTL_CONFLICT;
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
        return CTL_UNAVAILABLE;
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_CANCELLED:
    case ERR_BUG:
        return CTL_FAILURE;
    }
    return CTL_FAILURE;
}

int ctl_fail(const struct ctl *ctl, const struct err *e)
{
    int code = ctl_exit_code(e->code);
    ctl->output->error(err_code_name(e->code), e->text, code);
    return code;
}

static void print_options(FILE *to, const struct ctl_option *options)
{
    for (; options && options->name; options++) {
        char left[64];
        bool optional = options->value && options->value[0] == '[';
        snprintf(left, sizeof(left), "--%s%s%s", options->name,
                 options->value && !optional ? " " : "", options->value ? options->value : "");
        fprintf(to, "  %-24s %s\n", left, options->help);
    }
}

static void print_help(FILE *to)
{
    fprintf(to, "usage: pga ctl [options] COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *c = ctl_commands[i];
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", c->noun, c->noun[0] && c->verb[0] ? " " : "",
                 c->verb);
        fprintf(to, "  %-24s %s\n", left, c->summary);
    }
    fprintf(to, "\noptions:\n");
    print_options(to, ctl_global_options);
    fprintf(to, "\nexit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not allowed, 5 conflict,\n"
                "6 unavailable, 7 the check found problems\n");
}

static void print_command_help(FILE *to, const struct ctl_command *c)
{
    fprintf(to, "usage: pga ctl %s%s%s [options]%s%s\n\n%s\n\noptions:\n", c->noun,
            c->noun[0] && c->verb[0] ? " " : "", c->verb, c->argument ? " " : "",
            c->argument ? c->argument : "", c->summary);
    print_options(to, c->options);
    print_options(to, ctl_global_options);
}

/* "targets" is taken for "target"; some nouns have another word. */
static bool noun_matches(const char *noun, const char *given)
{
    static const struct {
        const char *noun, *other;
    } words[] = {{"target", "server"}, {"collector", "agent"}};
    size_t len = strlen(noun);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t other = strlen(words[i].other);
        if (strcmp(noun, words[i].noun) == 0 && strncmp(given, words[i].other, other) == 0) {
            return given[other] == '\0' || strcmp(given + other, "s") == 0;
        }
    }
    if (len > 1 && noun[len - 1] == 'y' && strncmp(noun, given, len - 1) == 0 &&
        strcmp(given + len - 1, "ies") == 0) {
        return true;
    }
    return strncmp(noun, given, len) == 0 && (given[len] == '\0' || strcmp(given + len, "s") == 0);
}

/* The command that words[0..] name, and how many words its name takes. */
static const struct ctl_command *find_command(const char *const *words, size_t count, size_t *used)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *c = ctl_commands[i];
        if (c->noun[0] == '\0') {
            if (count > 0 && strcmp(c->verb, words[0]) == 0) {
                *used = 1;
                return c;
            }
        } else if (count > 1 && noun_matches(c->noun, words[0]) && strcmp(c->verb, words[1]) == 0) {
            *used = 2;
            return c;
        }
    }
    return NULL;
}

static const struct ctl_option *find_option(const struct ctl_option *options, const char *name,
                                            size_t len)
{
    for (; options && options->name; options++) {
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0) {
            return options;
        }
    }
    return NULL;
}

/* Every option of any command: words are sorted out before the command is known. */
static const struct ctl_option *any_option(const char *name, size_t len)
{
    const struct ctl_option *found = find_option(ctl_global_options, name, len);
    for (size_t i = 0; !found && i < ctl_command_count; i++) {
        found = find_option(ctl_commands[i]->options, name, len);
    }
    return found;
}

static int usage_error(const char *what, const char *word)
{
    fprintf(stderr, "pga ctl: %s \"%s\"; see pga ctl --help\n", what, word);
    return CTL_USAGE;
}

static int take_option(struct ctl *ctl, int argc, char **argv, int *at)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct ctl_option *option = any_option(word, len);

    if (!option) {
        return usage_error("unknown option", argv[*at]);
    }
    if (ctl->option_count == CTL_OPTION_MAX) {
        return usage_error("too many options at", argv[*at]);
    }
    const char *value = equals ? equals + 1 : "";
    if (option->value && option->value[0] != '[' && !equals) {
        if (*at + 1 >= argc) {
            return usage_error("a value is missing after", argv[*at]);
        }
        value = argv[++*at];
    } else if (!option->value && equals) {
        return usage_error("no value is taken by", argv[*at]);
    }
    ctl->option_names[ctl->option_count] = option->name;
    ctl->option_values[ctl->option_count++] = value;
    return CTL_OK;
}

/* Split argv into words and options. */
static int take_words(struct ctl *ctl, int argc, char **argv, const char **words, size_t *count)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "-h") == 0) {
            argv[i] = argv[i][1] == 'o' ? "--output" : "--help";
        }
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            int rc = take_option(ctl, argc, argv, &i);
            if (rc) {
                return rc;
            }
        } else if (*count == CTL_ARGUMENT_MAX) {
            return usage_error("too many words at", argv[i]);
        } else {
            words[(*count)++] = argv[i];
        }
    }
    return CTL_OK;
}

/* Options of other commands were let through by any_option: refuse them now. */
static int check_options(const struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->option_count; i++) {
        const char *name = ctl->option_names[i];
        if (!find_option(ctl_global_options, name, strlen(name)) &&
            !find_option(ctl->command->options, name, strlen(name))) {
            return usage_error("this command has no option", name);
        }
    }
    return CTL_OK;
}

static int parse(struct ctl *ctl, int argc, char **argv)
{
    const char *words[CTL_ARGUMENT_MAX];
    size_t count = 0, used = 0;
    int rc = take_words(ctl, argc, argv, words, &count);

    if (rc) {
        return rc;
    }
    ctl->command = find_command(words, count, &used);
    if (!ctl->command) {
        if (ctl_option(ctl, "help")) {
            return CTL_OK;
        }
        if (count == 0) {
            print_help(stderr);
            return CTL_USAGE;
        }
        return usage_error("unknown command", words[0]);
    }
    for (size_t i = used; i < count; i++) {
        ctl->arguments[ctl->argument_count++] = words[i];
    }
    if (ctl->argument_count > 0 && !ctl->command->argument) {
        return usage_error("unexpected word", ctl->arguments[0]);
    }
    ctl->output = output_find(ctl_option_or(ctl, "output", "table"));
    if (!ctl->output) {
        return usage_error("unknown output format", ctl_option(ctl, "output"));
    }
    return check_options(ctl);
}

static int run_command(struct ctl *ctl)
{
    struct err e;
    err_clear(&e);
    if (ctl_context_load(ctl, ctl_option(ctl, "context"), &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    if (ctl->command->needs != CTL_NEEDS_NOTHING && !ctl->context.server) {
        err_set(&e, ERR_INVALID,
                "no server is known: pga ctl login --server http://127.0.0.1:8080");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    if (ctl->command->needs == CTL_NEEDS_LOGIN && !ctl->context.token) {
        err_set(&e, ERR_DENIED, "not logged in to %s: pga ctl login", ctl->context.server);
        return ctl_fail(ctl, &e);
    }
    return ctl->command->run(ctl);
}

static void forget_answers(struct ctl *ctl)
{
    while (ctl->answer_count > 0) {
        json_doc_free(ctl->answers[--ctl->answer_count]);
    }
    arena_reset(&ctl->arena);
}

enum err_code ctl_forget(struct ctl *ctl, struct err *e)
{
    forget_answers(ctl);
    return ctl_context_load(ctl, ctl_option(ctl, "context"), e);
}

/* Until Ctrl-C ends the process. What failed may be well again the next time; wrong use not. */
static int watch(struct ctl *ctl, int64_t every_ms)
{
    bool terminal = isatty(STDOUT_FILENO);
    for (;;) {
        if (terminal) {
            fputs("\033[H\033[2J", stdout);
        }
        int rc = run_command(ctl);
        if (fflush(stdout) != 0 || rc == CTL_USAGE || rc == CTL_AUTH) {
            return rc;
        }
        forget_answers(ctl);
        clock_sleep_ms(every_ms);
    }
}

static int run_or_watch(struct ctl *ctl)
{
    const char *text = ctl_option(ctl, "watch");
    int64_t every_ms = 2000;
    if (!text) {
        return run_command(ctl);
    }
    if (text[0] && (num_parse_duration_ms(str_of(text), &every_ms, NULL) || every_ms < 100)) {
        return usage_error("no time of at least 100ms:", text);
    }
    if (strcmp(ctl->command->verb, "list") != 0 && ctl->command->watched == CTL_ONCE) {
        return usage_error("nothing to watch in", ctl->command->verb);
    }
    return watch(ctl, every_ms);
}

static int run_with_client(struct ctl *ctl)
{
    struct err e;
    err_clear(&e);
    if (httpc_setup(&e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->client = httpc_new();
    int rc = run_or_watch(ctl);
    httpc_free(ctl->client);
    httpc_teardown();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pga ctl: writing the output failed\n");
        rc = rc ? rc : CTL_FAILURE;
    }
    return rc;
}

int app_ctl_main(int argc, char **argv)
{
    struct ctl ctl = {.output = &output_text};
    log_setup(&(struct log_config){.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_TEXT, .fd = 2});
    arena_init(&ctl.arena, "ctl", ARENA_CAP);
    int rc = parse(&ctl, argc, argv);
    if (rc == CTL_OK && ctl_option(&ctl, "help")) {
        if (ctl.command) {
            print_command_help(stdout, ctl.command);
        } else {
            print_help(stdout);
        }
    } else if (rc == CTL_OK) {
        rc = run_with_client(&ctl);
    }
    forget_answers(&ctl);
    arena_fini(&ctl.arena);
    return rc;
}

/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_completion.c: `pga ctl completion bash|zsh|fish`: what the shell offers after Tab, written
 * from the command table; and `pga ctl completion names NOUN`, which those scripts ask for the
 * names that the server knows, with little time.
 *
 * The three scripts work alike: the words so far that are no options make a state such as
 * ctl.target.show, and each state has its words, options and operands in a table.
 */
#include <stdio.h>
#include <string.h>

#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

#define NAMES_MS   300 /* a person waits for the Tab key */
#define SCRIPT_MAX ((size_t)1024 * 1024)

/* --- the table --- */

enum part { PART_WORDS, PART_OPTIONS, PART_OPERANDS };
static const char *const part_names[] = {"words", "options", "operands"};
typedef void put_row(struct buf *out, enum part part, const char *state, const char *word,
                     const char *help);

static bool is_first_of_noun(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(ctl_commands[i]->noun, ctl_commands[index]->noun) == 0) {
            return false;
        }
    }
    return true;
}

static void put_option(struct buf *out, put_row *put, const char *state, const struct ctl_option *o)
{
    char word[64];

    snprintf(word, sizeof(word), "--%s", o->name);
    put(out, PART_OPTIONS, state, word, o->help);
}

static void put_table(struct buf *out, put_row *put)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *c = ctl_commands[i];
        char noun[64], state[128];

        snprintf(noun, sizeof(noun), "ctl%s%s", c->noun[0] ? "." : "", c->noun);
        snprintf(state, sizeof(state), "%s.%s", noun, c->verb);
        if (c->noun[0] && is_first_of_noun(i)) {
            put(out, PART_WORDS, "ctl", c->noun, "");
        }
        put(out, PART_WORDS, noun, c->verb, c->summary);
        for (const struct ctl_option *o = c->options; o && o->name; o++) {
            put_option(out, put, state, o);
        }
        put(out, PART_OPERANDS, state, c->argument ? c->argument : "-", "");
    }
    for (const struct ctl_option *o = ctl_global_options; o->name; o++) {
        put_option(out, put, "all", o);
    }
}

/* Options that take a value, each once: "-o|--context|--server"; " " separates for fish. */
static void put_value_options(struct buf *out, const char *separator)
{
    struct buf list;
    size_t at;

    buf_init(&list, 65536);
    buf_add_c(&list, "-o");
    for (size_t i = 0; i <= ctl_command_count; i++) {
        const struct ctl_option *o = i < ctl_command_count ? ctl_commands[i]->options
                                                           : ctl_global_options;

        for (; o && o->name; o++) {
            char word[64];

            snprintf(word, sizeof(word), "%s--%s", separator, o->name);
            if (o->value && o->value[0] != '[' && !str_find(buf_view(&list), str_of(word), &at)) {
                buf_add_c(&list, word);
            }
        }
    }
    buf_add_str(out, buf_view(&list));
    buf_fini(&list);
}

/* --- bash and zsh --- */

static void put_assignment(struct buf *out, enum part part, const char *state, const char *word,
                           const char *help)
{
    (void)help;
    buf_printf(out, "_pga_%s[%s]+=' %s'\n", part_names[part], state, word);
}

static const char bash_begin[] = "# bash completion of pga, made by: pga ctl completion bash\n"
                                 "declare -A _pga_words=() _pga_options=() _pga_operands=()\n";

static const char bash_states[] =
    "_pga() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local first=1 state=ctl words='' operand='' i\n"
    "    COMPREPLY=()\n"
    "    if [ \"${COMP_WORDS[0]##*/}\" != pga-ctl ]; then\n"
    "        first=2\n"
    "        if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W "
    "'agent ctl demo migrate server version' -- \"$cur\")\n"
    "            return\n"
    "        fi\n"
    "        [ \"${COMP_WORDS[1]}\" = ctl ] || return 0\n"
    "    fi\n"
    "    for ((i = first; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "            ";

static const char bash_end[] =
    ") i=$((i + 1)) ;;\n"
    "            -*) ;;\n"
    "            *) [ -n \"${_pga_operands[$state]:-}\" ] || state+=.${COMP_WORDS[i]} ;;\n"
    "        esac\n"
    "    done\n"
    "    case $prev in\n"
    "        -o | --output) words='table json jsonl csv' ;;\n"
    "        --target | --context) operand=${prev#--} ;;\n"
    "        --*-file | --file | --body)\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "            return\n"
    "            ;;\n"
    "        *)\n"
    "            words=${_pga_words[$state]:-}\n"
    "            operand=${_pga_operands[$state]:-}\n"
    "            [[ $cur != -* ]] || words=\"${_pga_options[$state]:-} ${_pga_options[all]}\"\n"
    "            [[ $cur != -* ]] || operand=\n"
    "            ;;\n"
    "    esac\n"
    "    if [ -n \"$operand\" ]; then\n"
    "        [ \"$first\" -eq 2 ] && first=ctl || first=\n"
    "        words=$(\"${COMP_WORDS[0]}\" $first completion names \"${operand# }\" 2>/dev/null)\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
    "}\n"
    "complete -F _pga pga pga-ctl\n";

static void put_bash(struct buf *out)
{
    buf_add_c(out, bash_begin);
    put_table(out, put_assignment);
    buf_add_c(out, bash_states);
    put_value_options(out, "|");
    buf_add_c(out, bash_end);
}

static const char zsh_begin[] = "#compdef pga pga-ctl\n"
                                "# zsh completion of pga, made by: pga ctl completion zsh\n"
                                "typeset -gA _pga_words _pga_options _pga_operands\n"
                                "_pga_words=() _pga_options=() _pga_operands=()\n";

static const char zsh_states[] = "_pga() {\n"
                                 "    local state=ctl prev=$words[CURRENT-1] operand='' self=ctl\n"
                                 "    local -i i first=2\n"
                                 "    if [[ ${words[1]:t} == pga-ctl ]]; then\n"
                                 "        self=\n"
                                 "    else\n"
                                 "        first=3\n"
                                 "        if (( CURRENT == 2 )); then\n"
                                 "            compadd -- agent ctl demo migrate server version\n"
                                 "            return\n"
                                 "        fi\n"
                                 "        [[ $words[2] == ctl ]] || return\n"
                                 "    fi\n"
                                 "    for ((i = first; i < CURRENT; i++)); do\n"
                                 "        case $words[i] in\n"
                                 "            (";

static const char zsh_end[] =
    ") i+=1 ;;\n"
    "            (-*) ;;\n"
    "            (*) [[ -n ${_pga_operands[$state]:-} ]] || state+=.$words[i] ;;\n"
    "        esac\n"
    "    done\n"
    "    case $prev in\n"
    "        (-o|--output) compadd -- table json jsonl csv; return ;;\n"
    "        (--target|--context) operand=${prev#--} ;;\n"
    "        (--*-file|--file|--body) _files; return ;;\n"
    "        (*)\n"
    "            if [[ $words[CURRENT] == -* ]]; then\n"
    "                compadd -- ${=_pga_options[$state]:-} ${=_pga_options[all]}\n"
    "                return\n"
    "            fi\n"
    "            operand=${_pga_operands[$state]:-}\n"
    "            [[ -n $operand ]] || { compadd -- ${=_pga_words[$state]:-}; return }\n"
    "            ;;\n"
    "    esac\n"
    "    compadd -- ${(f)\"$($words[1] $self completion names ${operand# } 2>/dev/null)\"}\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _pga ]; then\n"
    "    _pga \"$@\"\n"
    "else\n"
    "    compdef _pga pga pga-ctl\n"
    "fi\n";

static void put_zsh(struct buf *out)
{
    buf_add_c(out, zsh_begin);
    put_table(out, put_assignment);
    buf_add_c(out, zsh_states);
    put_value_options(out, "|");
    buf_add_c(out, zsh_end);
}

/* --- fish --- */

static void put_fish_row(struct buf *out, enum part part, const char *state, const char *word,
                         const char *help)
{
    buf_printf(out, "set -ga __pga_%s_", part_names[part]);
    for (; *state; state++) {
        buf_add_char(out, *state == '.' || *state == '-' ? '_' : *state);
    }
    buf_printf(out, " '%s'", word);
    if (part != PART_OPERANDS && help[0]) {
        buf_add_c(out, "\\t'");
        for (; *help; help++) {
            buf_add_c(out, *help == '\'' ? "\\" : "");
            buf_add_char(out, *help);
        }
        buf_add_char(out, '\'');
    }
    buf_add_char(out, '\n');
}

static const char fish_begin[] = "# fish completion of pga, made by: pga ctl completion fish\n"
                                 "for name in (set -gn | string match '__pga_*')\n"
                                 "    set -eg $name\n"
                                 "end\n";

static const char fish_states[] =
    "function __pga_complete\n"
    "    set -l all (commandline -opc)\n"
    "    set -l cur (commandline -ct)\n"
    "    set -l prev $all[-1]\n"
    "    set -l self $all[1]\n"
    "    set -l state ctl\n"
    "    set -l skip 0\n"
    "    set -e all[1]\n"
    "    if test (basename -- $self) != pga-ctl\n"
    "        if test (count $all) -eq 0\n"
    "            printf '%s\\n' agent ctl demo migrate server version\n"
    "            return\n"
    "        end\n"
    "        test $all[1] = ctl; or return\n"
    "        set -e all[1]\n"
    "        set self $self ctl\n"
    "    end\n"
    "    for word in $all\n"
    "        set -l operands __pga_operands_(string replace -ra '[.-]' _ -- $state)\n"
    "        if test $skip = 1\n"
    "            set skip 0\n"
    "        else if contains -- $word ";

static const char fish_end[] =
    "\n"
    "            set skip 1\n"
    "        else if not string match -q -- '-*' $word; and not set -q $operands\n"
    "            set state $state.$word\n"
    "        end\n"
    "    end\n"
    "    set state (string replace -ra '[.-]' _ -- $state)\n"
    "    set -l words __pga_words_$state\n"
    "    set -l options __pga_options_$state\n"
    "    set -l operands __pga_operands_$state\n"
    "    switch $prev\n"
    "        case -o --output\n"
    "            printf '%s\\n' table json jsonl csv\n"
    "        case --target --context\n"
    "            command $self completion names (string replace -- -- '' $prev) 2>/dev/null\n"
    "        case '--*-file' --file --body\n"
    "            __fish_complete_path $cur\n"
    "        case '*'\n"
    "            if string match -q -- '-*' $cur\n"
    "                printf '%s\\n' $$options $__pga_options_all\n"
    "            else if set -q $operands\n"
    "                command $self completion names $$operands 2>/dev/null\n"
    "            else\n"
    "                printf '%s\\n' $$words\n"
    "            end\n"
    "    end\n"
    "end\n"
    "complete -c pga -f -a '(__pga_complete)'\n"
    "complete -c pga-ctl -f -a '(__pga_complete)'\n";

static void put_fish(struct buf *out)
{
    buf_add_c(out, fish_begin);
    put_table(out, put_fish_row);
    buf_add_c(out, fish_states);
    put_value_options(out, " ");
    buf_add_c(out, fish_end);
}

/* --- names that the server knows --- */

static const struct {
    const char *what, *path, *member;
} sources[] = {
    {"target", "/api/v1/servers?limit=1000", "name"},
    {"user", "/api/v1/users?limit=1000", "username"},
    {"secret", "/api/v1/registration-secrets?limit=1000", "name"},
    {"collector", "/api/v1/collectors?limit=1000", "name"},
};

static void print_context(void *arg, const struct ctl_context *c, int current)
{
    (void)arg;
    (void)current;
    printf("%s\n", c->name);
}

/* A shell gets names or nothing: what goes wrong here is no business of the command line. */
static int print_names(struct ctl *ctl, struct str what)
{
    const struct json *root;
    struct err e;

    err_clear(&e);
    ctl->timeout_ms = NAMES_MS;
    if (str_eq_nocase(what, STR("context")) || str_eq_nocase(what, STR("name"))) {
        (void)!ctl_context_each(ctl, print_context, NULL, &e);
        return CTL_OK;
    }
    if (str_eq_c(what, "SHELL")) {
        puts("bash\nzsh\nfish");
        return CTL_OK;
    }
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct ctl_call call = {.method = "GET", .path = sources[i].path};

        if (!str_eq_nocase(what, str_of(sources[i].what)) || !ctl->context.server ||
            ctl_request(ctl, &call, &root, &e) != ERR_OK) {
            continue;
        }
        for (struct json_iter it = json_iter(json_get(root, "data")); json_next(&it);) {
            printf("%.*s\n", STR_ARG(json_str(json_get(it.value, sources[i].member))));
        }
    }
    return CTL_OK;
}

static int run(struct ctl *ctl)
{
    static const struct {
        const char *name;
        void (*put)(struct buf *out);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    const char *shell = ctl->argument_count > 0 ? ctl->arguments[0] : "";
    struct buf out;
    struct err e;

    if (strcmp(shell, "names") == 0) {
        return ctl->argument_count == 2 ? print_names(ctl, str_of(ctl->arguments[1])) : CTL_OK;
    }
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            buf_init(&out, SCRIPT_MAX);
            shells[i].put(&out);
            output_flush(&out);
            buf_fini(&out);
            return CTL_OK;
        }
    }
    err_clear(&e);
    err_set(&e, ERR_INVALID, "for which shell? bash, zsh or fish");
    (void)ctl_fail(ctl, &e);
    return CTL_USAGE;
}

const struct ctl_command ctl_command_completion = {
    .noun = "",
    .verb = "completion",
    .summary = "print the completion script of bash, zsh or fish",
    .argument = "SHELL",
    .needs = CTL_NEEDS_NOTHING,
    .run = run,
};

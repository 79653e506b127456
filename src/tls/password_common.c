/* SPDX-License-Identifier: PostgreSQL */
/*
 * password_common.c: see the header.
 *
 * The password is cut into pieces, each of which costs what a guesser would have to try for it; the
 * cheapest way to cut it decides. What is no piece (a word that is not in the list) costs more than
 * any bound.
 */
#include "tls/password_common.h"

#include <string.h>

#include "tls/password.h"

#define COST_WORD 4
#define COST_RUN  2 /* equal signs, a series, a row of keys */
#define COST_SIGN 1 /* a figure or a mark */
#define COST_MAX  14
#define NEVER     1000
#define RUN_MIN   3
#define PERIOD    4 /* signs that are repeated from one end to the other */

static const char words[] =
    "abc access account admin administrator adobe alex alexander alice amanda america andrea "
    "andrew angel anna anthony apple april arsenal asdf ashley august austin autumn baby "
    "backup badboy bailey banana barcelona baseball basketball batman bear beautiful beer "
    "biteme black blink blue boss boston brandon britney brother buster butter butterfly "
    "camaro carlos change changeit changeme charles charlie cheese chelsea chester chicago "
    "chocolate chris christ christian claude cloud coffee computer contact cookie cool cowboy "
    "crystal dallas daniel dave david december default demo demouser diamond dolphin domain "
    "donald dragon eagle eagles eight elephant elizabeth email emily england enter eric "
    "exchange facebook falcon family fast february fender ferrari fire first five flower "
    "football forever four freedom friday friend friends gandalf garfield "
    "gateway george ginger girls god golden golf google green guest guitar hacker hahaha "
    "hammer hannah happy harley harry heaven hello hockey home house hunter iceman "
    "ihateyou iloveu iloveyou info internet jack jackson james january jasmine jason jennifer "
    "jessica jesus john jordan joseph joshua july june junior justice justin killer king "
    "kitty knight lakers laptop lauren legend letmein lion liverpool local login london lord "
    "love lovely lover lucky maggie magic manager manchester marc march maria marina mark "
    "marlboro martin master matrix matthew maverick max melissa merlin mexico michael "
    "michelle mickey microsoft mike monday money monitor monkey morgan mother mountain "
    "mustang naruto nascar nicole nine ninja nirvana november october oliver one online "
    "operator oracle orange owner panther pass passord passphrase passw passwd password "
    "passwords passwort patrick peace peanut pepper peter pgsql phoenix player please pokemon "
    "porsche postgres postgresql power prince princess private qazwsx queen qwer qwert "
    "qwerty rabbit rachel raiders rainbow ranger rangers red richard robert rock root rosebud "
    "russia samantha samsung samuel sarah saturday scooter secret secure security senha "
    "server service seven shadow silver six smith snoopy soccer sophie spider spiderman "
    "spring spurs star starwars steelers steve success summer sun sunday sunshine super "
    "superman superuser support sweet sweety sys sysadmin system tech temp temporary tennis "
    "test tester testing thomas three thunder thursday tiger tigger trustno tuesday turtle "
    "two user username victoria viking vpn wednesday welcome whatever white william willow "
    "windows winner winston winter wizard wolf work world xbox yahoo yamaha yankees yellow "
    "you zaq zero zxcvbn ";

static const char *const rows[] = {
    "`1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop",
    "yxcvbnm",       "azertyuiop",   "qsdfghjklm",  "wxcvbn",     "1qaz2wsx3edc4rfv5tgb",
    "qazwsxedcrfv",  "!@#$%^&*()_+",
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether a sign stands for a letter. */
static bool stands_for(char c, char letter)
{
    static const char *const pairs[] = {"0o", "1l", "1i", "3e", "4a", "5s", "6g", "7t",
                                        "8b", "9g", "@a", "$s", "!i", "!l", "+t", "(c"};

    if (lower(c) == letter)
        return true;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i][0] == c && pairs[i][1] == letter)
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_sign(char c)
{
    return c > ' ' && c < 0x7f && !is_letter(c);
}

static bool has_word(struct str rest, struct str word)
{
    if (rest.len < word.len)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (!stands_for(rest.ptr[i], word.ptr[i]))
            return false;
    }
    return true;
}

/* How far signs go on by the same step, from 0 (equal) to 1 or -1 (a series). */
static size_t series(struct str rest, int step)
{
    size_t n = 1;

    while (n < rest.len && lower(rest.ptr[n]) == lower(rest.ptr[n - 1]) + step)
        n++;
    return n;
}

/* How far a row of keys is followed from the first sign, in one direction. */
static size_t along(struct str rest, const char *row, int step)
{
    const char *at = strchr(row, lower(rest.ptr[0]));
    size_t n = 0;

    while (at != NULL && n < rest.len && lower(rest.ptr[n]) == *at) {
        n++;
        at += step;
        if (at < row || *at == '\0')
            break;
    }
    return n;
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t run_length(struct str rest)
{
    size_t n = max_of(series(rest, 0), max_of(series(rest, 1), series(rest, -1)));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        n = max_of(n, max_of(along(rest, rows[i], 1), along(rest, rows[i], -1)));
    return n;
}

static void lower_to(int *cost, int value)
{
    if (value < *cost)
        *cost = value;
}

/* The pieces that begin here, each to its end in `cost`. */
static void cut(struct str rest, int *cost)
{
    struct str list = STR(words);
    size_t run = run_length(rest);

    if (is_sign(rest.ptr[0]) || rest.ptr[0] == ' ')
        lower_to(&cost[1], cost[0] + COST_SIGN);
    for (size_t n = RUN_MIN; n <= run; n++)
        lower_to(&cost[n], cost[0] + COST_RUN);
    while (list.ptr != NULL) {
        struct str word = str_split(&list, ' ');

        if (word.len > 0 && has_word(rest, word))
            lower_to(&cost[word.len], cost[0] + COST_WORD);
    }
}

static bool repeats(struct str s)
{
    for (size_t period = 1; period <= PERIOD && period < s.len; period++) {
        size_t i = period;

        while (i < s.len && s.ptr[i] == s.ptr[i - period])
            i++;
        if (i == s.len)
            return true;
    }
    return false;
}

bool password_is_common(struct str password)
{
    int cost[PASSWORD_MAX_BYTES + 1];

    if (password.len == 0 || password.len > PASSWORD_MAX_BYTES)
        return false;
    if (repeats(password))
        return true;
    for (size_t i = 0; i <= PASSWORD_MAX_BYTES; i++)
        cost[i] = NEVER;
    cost[0] = 0;
    for (size_t i = 0; i < password.len; i++) {
        if (cost[i] <= COST_MAX)
            cut(str_make(password.ptr + i, password.len - i), &cost[i]);
    }
    return cost[password.len] <= COST_MAX;
}

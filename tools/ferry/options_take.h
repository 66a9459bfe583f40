// SPDX-License-Identifier: Apache-2.0
// Reading option values: helpers for the option tables.
#ifndef FERRY_TOOLS_OPTIONS_TAKE_H_
#define FERRY_TOOLS_OPTIONS_TAKE_H_

#include "cli.h"

ferry_status cli_take_int(const char *text, long least, long most, int *out, ferry_error *err);
ferry_status cli_take_double(const char *text, double least, double most, double *out, ferry_error *err);
ferry_status cli_take_u64(const char *text, uint64_t *out, ferry_error *err);
/// "512M", "1GiB", "4096".
ferry_status cli_take_size(const char *text, uint64_t *out, ferry_error *err);
/// "NAME=VALUE", split at the last '=' (names may hold one). The text is copied; `separator_first` splits at the first
/// instead.
ferry_status cli_take_pair(const char *text, const char *what, bool split_at_first, cli_pair *list, size_t *count,
                           ferry_error *err);
/// The same, for names that must not come again.
ferry_status cli_take_pair_once(const char *text, const char *what, bool split_at_first, cli_pair *list, size_t *count,
                                ferry_error *err);
ferry_status cli_take_item(const char *text, const char **list, size_t *count, ferry_error *err);
/// "1x3x224x224".
ferry_status cli_take_dims(const char *text, int32_t *out_rank, int64_t *out_dims, ferry_error *err);

#define CLI_FAIL(...)                                                                                                  \
    do {                                                                                                               \
        snprintf(err->text, sizeof err->text, __VA_ARGS__);                                                            \
        return FERRY_ERR_INVALID_ARGUMENT;                                                                             \
    } while (0)

// Shorthand for rows: a function that sets one member.
#define CLI_TAKE(function) static ferry_status function(cli_settings *s, const char *value, ferry_error *err)
#define CLI_TAKE_FLAG(function, member)                                                                                \
    CLI_TAKE(function)                                                                                                 \
    {                                                                                                                  \
        (void)value;                                                                                                   \
        (void)err;                                                                                                     \
        s->member = true;                                                                                              \
        return FERRY_OK;                                                                                               \
    }
#define CLI_TAKE_TEXT(function, member)                                                                                \
    CLI_TAKE(function)                                                                                                 \
    {                                                                                                                  \
        (void)err;                                                                                                     \
        s->member = value;                                                                                             \
        return FERRY_OK;                                                                                               \
    }
#define CLI_TAKE_INT(function, member, least, most)                                                                    \
    CLI_TAKE(function)                                                                                                 \
    {                                                                                                                  \
        return cli_take_int(value, least, most, &s->member, err);                                                      \
    }
#define CLI_TAKE_DOUBLE(function, member, least, most)                                                                 \
    CLI_TAKE(function)                                                                                                 \
    {                                                                                                                  \
        return cli_take_double(value, least, most, &s->member, err);                                                   \
    }

#endif // FERRY_TOOLS_OPTIONS_TAKE_H_

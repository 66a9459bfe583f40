// SPDX-License-Identifier: Apache-2.0
// Messages, progress and signals.
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t interrupts;

// Writes text to the standard error. Names out of a model or a file may hold anything: control bytes, which could move
// a terminal's cursor or do worse, are shown as \xHH.
static void put_plain(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (c[0] == 0xc2 && (c[1] & 0xe0) == 0x80) { // UTF-8 has a second set of them, U+0080 to U+009F
            fprintf(stderr, "\\x%02x", *++c);
        } else if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f) {
            fprintf(stderr, "\\x%02x", *c);
        } else {
            fputc(*c, stderr);
        }
    }
}

static void put_message(const char *severity, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    fprintf(stderr, "ferry: %s: ", severity);
    put_plain(text ? text : "out of memory");
    fputc('\n', stderr);
    free(text);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    put_message("error", format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_message("error", format, args);
    va_end(args);
    fprintf(stderr, "Try 'ferry %s%s--help'.\n", command ? command : "", command ? " " : "");
    return CLI_USAGE;
}

int cli_fail_with(ferry_status status, const ferry_error *err)
{
    return status == FERRY_ERR_CANCELLED && interrupts ? cli_fail("interrupted") : cli_fail("%s", err->text);
}

void cli_warn(const cli_settings *settings, const char *format, ...)
{
    va_list args;
    if (settings->quiet) return;
    va_start(args, format);
    put_message("warning", format, args);
    va_end(args);
}

int cli_print_json(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    json_decref(json);
    if (!text) return cli_fail("out of memory");
    printf("%s\n", text);
    free(text);
    return CLI_OK;
}

char *cli_sibling_name(const char *path, const char *ending)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    const size_t stem = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    char *name = malloc(stem + strlen(ending) + 1);
    if (!name) return NULL;
    memcpy(name, base, stem);
    strcpy(name + stem, ending);
    return name;
}

int cli_check_output(const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    if (!*path) return cli_fail("the path of the file to write is empty");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return cli_fail("%s is a folder; name a file in it", path);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return cli_fail("%s is not a regular file", path);
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return cli_fail("out of memory");
    int status = CLI_OK;
    // To root, access() answers for a file as if it were a folder that may not be entered.
    if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode))
        status = cli_fail("%s can't be written: %s is not a folder", path, folder);
    else if (access(folder, W_OK | X_OK) != 0)
        status = cli_fail("%s can't be written: its folder: %s", path, strerror(errno));
    free(folder);
    return status;
}

double cli_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void log_line(void *user, ferry_severity severity, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "verbose"};
    (void)user;
    fprintf(stderr, "ferry: %s: ", names[severity]);
    put_plain(text);
    fputc('\n', stderr);
}

const ferry_logger *cli_logger(const cli_settings *settings)
{
    static const ferry_logger quiet = {log_line, NULL, FERRY_SEVERITY_ERROR};
    static const ferry_logger normal = {log_line, NULL, FERRY_SEVERITY_WARNING};
    static const ferry_logger verbose = {log_line, NULL, FERRY_SEVERITY_VERBOSE};
    return settings->quiet ? &quiet : settings->verbose ? &verbose : &normal;
}

static void print_time(double seconds)
{
    if (seconds < 0) return;
    if (seconds < 60) {
        fprintf(stderr, ", %.0f s left", seconds);
    } else {
        fprintf(stderr, ", %.0f min left", seconds / 60);
    }
}

// A phase may report its end twice: at its last unit, and when it closes.
typedef struct progress_state {
    double next_s;
    bool over;
} progress_state;

static bool seen_end(progress_state *state, const ferry_progress_report *r)
{
    const bool over = r->total && r->done >= r->total, again = over && state->over;
    state->over = over;
    return again;
}

static int draw_bar(void *user, const ferry_progress_report *r)
{
    if (seen_end(user, r)) return interrupts != 0;
    enum { WIDTH = 30 };
    const int filled = r->total ? (int)(WIDTH * r->done / r->total) : 0;
    fprintf(stderr, "\r\033[K%-14s ", r->phase);
    if (r->total) {
        fputc('[', stderr);
        for (int i = 0; i < WIDTH; i++) fputc(i < filled ? '#' : '.', stderr);
        fprintf(stderr, "] %llu/%llu", (unsigned long long)r->done, (unsigned long long)r->total);
    } else {
        fprintf(stderr, "%llu", (unsigned long long)r->done);
    }
    const bool over = r->total && r->done >= r->total;
    if (over) {
        fprintf(stderr, ", %.1f s\n", r->elapsed_s);
    } else {
        print_time(r->remaining_s);
    }
    fflush(stderr);
    return interrupts != 0;
}

// Lines for logs: the end of each phase, and every ten seconds in between.
static int print_line(void *user, const ferry_progress_report *r)
{
    progress_state *state = user;
    const bool over = r->total && r->done >= r->total;
    if (seen_end(state, r)) return interrupts != 0;
    if (r->done == 0) state->next_s = 10;
    if (over && r->elapsed_s >= 0.5) {
        fprintf(stderr, "ferry: %s: %llu done in %.1f s\n", r->phase, (unsigned long long)r->total, r->elapsed_s);
    } else if (!over && r->elapsed_s > state->next_s) {
        fprintf(stderr, "ferry: %s: %llu of %llu", r->phase, (unsigned long long)r->done, (unsigned long long)r->total);
        print_time(r->remaining_s);
        fputc('\n', stderr);
        state->next_s = r->elapsed_s + 10;
    }
    return interrupts != 0;
}

static int only_interrupt(void *user, const ferry_progress_report *r)
{
    (void)user;
    (void)r;
    return interrupts != 0;
}

const ferry_progress *cli_progress(const cli_settings *settings)
{
    static progress_state state;
    static const ferry_progress bar = {draw_bar, &state}, lines = {print_line, &state}, silent = {only_interrupt, NULL};
    return settings->quiet ? &silent : isatty(STDERR_FILENO) ? &bar : &lines;
}

void cli_phase_begin(cli_phase *phase, const cli_settings *settings, const char *name, uint64_t total)
{
    *phase = (cli_phase){.progress = cli_progress(settings), .begun_s = cli_now_s()};
    phase->report = (ferry_progress_report){.phase = name, .total = total, .remaining_s = -1};
    phase->progress->update(phase->progress->user, &phase->report);
}

int cli_phase_step(cli_phase *phase, uint64_t done)
{
    ferry_progress_report *r = &phase->report;
    r->done = done;
    r->elapsed_s = cli_now_s() - phase->begun_s;
    r->remaining_s = done ? r->elapsed_s / (double)done * (double)(r->total - done) : -1;
    if (done == r->total || r->elapsed_s >= phase->next_s) {
        phase->next_s = r->elapsed_s + 0.1;
        phase->progress->update(phase->progress->user, r);
    }
    return interrupts ? cli_fail("interrupted") : CLI_OK;
}

bool cli_interrupted(void)
{
    return interrupts != 0;
}

// The first signal asks long work to stop at its next report; a second one, or one that long work does not see within
// its report, ends the process after removing what was half written.
static void on_signal(int number)
{
    if (interrupts++ == 0) return;
    ferry_abandon_files();
    signal(number, SIG_DFL);
    raise(number);
}

static void on_closed_pipe(int number)
{
    ferry_abandon_files();
    signal(number, SIG_DFL);
    raise(number);
}

void cli_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    // A file that grows beyond the limit of the shell is an error like a full disk.
    signal(SIGXFSZ, SIG_IGN);
    // 'ferry run ... | head' ends as other programs do there: at once and in silence, but without a half-written file.
    action.sa_handler = on_closed_pipe;
    sigaction(SIGPIPE, &action, NULL);
}

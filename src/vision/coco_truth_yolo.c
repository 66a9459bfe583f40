// SPDX-License-Identifier: Apache-2.0
// A folder of YOLO label files: one text a picture, one line an object.
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file_map.h"
#include "base/strings.h"
#include "vision/coco_truth.h"

#define MAX_LABEL_BYTES ((size_t)64 << 20)

static bool next_word(ferry_text *rest, ferry_text *word)
{
    while (rest->length > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
        rest->data++;
        rest->length--;
    }
    *word = (ferry_text){rest->data, 0};
    while (word->length < rest->length && rest->data[word->length] != ' ' && rest->data[word->length] != '\t') {
        word->length++;
    }
    rest->data += word->length;
    rest->length -= word->length;
    return word->length > 0;
}

static ferry_status read_line(ferry_coco_truth *t, ferry_text line, ferry_error *err)
{
    ferry_text rest = line, word;
    uint64_t class_index = 0;
    double v[4];
    if (!next_word(&rest, &word) || !ferry_parse_u64(word, &class_index) || class_index > FERRY_TRUTH_MAX_CLASS) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "does not begin with a class index");
    }
    for (int i = 0; i < 4; i++) {
        if (!next_word(&rest, &word) || !ferry_parse_double(word, &v[i]) || !(v[i] >= -10 && v[i] <= 10)) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA,
                              "is not 'class x y w h' with a box relative to the picture (0..1)");
        }
    }
    if (next_word(&rest, &word)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "has more than five numbers: outlines and key points are not boxes; convert them first");
    }
    const ferry_truth_box box = {.x1 = v[0] - v[2] / 2,
                                 .y1 = v[1] - v[3] / 2,
                                 .x2 = v[0] + v[2] / 2,
                                 .y2 = v[1] + v[3] / 2,
                                 .class_index = (int32_t)class_index,
                                 .picture = t->picture_count - 1};
    return ferry_truth_add_box(t, &box, err);
}

static ferry_status read_file(ferry_coco_truth *t, const char *path, ferry_error *err)
{
    char *text = NULL;
    size_t bytes = 0, number = 0;
    FERRY_TRY(ferry_file_read(&t->heap, path, MAX_LABEL_BYTES, &text, &bytes, err));
    ferry_status status = FERRY_OK;
    ferry_text rest = {text, bytes}, line;
    while (status == FERRY_OK && ferry_text_next_line(&rest, &line)) {
        number++;
        line = ferry_text_trim(line);
        if (line.length == 0) continue;
        status = read_line(t, line, err);
        if (status != FERRY_OK) status = ferry_within(err, status, "%s: line %zu", path, number);
    }
    ferry_heap_free(&t->heap, text, bytes + 1);
    return status;
}

// "classes.txt" lies in many such folders, and is no label file.
static bool is_label_file(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".txt") == 0 && name[0] != '.' && strcmp(name, "classes.txt") != 0;
}

ferry_status ferry_truth_read_yolo(ferry_coco_truth *truth, const char *folder, ferry_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) return ferry_fail(err, FERRY_ERR_IO, "%s: %s", folder, strerror(errno));
    truth->is_relative = true;
    ferry_status status = FERRY_OK;
    const struct dirent *e;
    while (status == FERRY_OK && (e = readdir(dir)) != NULL) {
        if (!is_label_file(e->d_name)) continue;
        ferry_arena scratch;
        ferry_arena_init(&scratch, &truth->heap);
        const char *path = ferry_arena_printf(&scratch, "%s/%s", folder, e->d_name);
        const char *stem = ferry_arena_strndup(&scratch, e->d_name, strlen(e->d_name) - 4);
        status = path && stem ? ferry_truth_add_picture(truth, stem, 0, err) : ferry_fail_memory(err, "ground truth");
        if (status == FERRY_OK) status = read_file(truth, path, err);
        ferry_arena_deinit(&scratch);
    }
    closedir(dir);
    if (status == FERRY_OK && truth->picture_count == 0) {
        status = ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: no label files (*.txt) in this folder", folder);
    }
    return status;
}

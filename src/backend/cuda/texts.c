// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/texts.h"

#include <pthread.h>
#include <string.h>

#define MOST_TEXTS 64
#define WORDS 128

static ferry_cuda_text texts[MOST_TEXTS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static char *unpack(const unsigned char *packed, const char *const *words, char *to)
{
    for (; *packed; packed++) {
        if (*packed < WORDS)
            *to++ = (char)*packed;
        else
            for (const char *w = words[*packed - WORDS]; *w; w++) *to++ = *w;
    }
    *to++ = 0;
    return to;
}

static void unpack_all(void)
{
    const char *words[WORDS] = {0}, *word = (const char *)ferry_cuda_words;
    for (int i = 0; i < WORDS && *word; i++, word += strlen(word) + 1) words[i] = word;
    char *to = ferry_cuda_text_room;
    for (int i = 0; i < MOST_TEXTS && ferry_cuda_packed_texts[i].name; i++) {
        texts[i] = (ferry_cuda_text){ferry_cuda_packed_texts[i].name, to};
        to = unpack(ferry_cuda_packed_texts[i].text, words, to);
    }
}

const ferry_cuda_text *ferry_cuda_texts(void)
{
    pthread_once(&once, unpack_all);
    return texts;
}

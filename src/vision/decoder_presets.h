// SPDX-License-Identifier: Apache-2.0
// The table of presets, for the one who proposes among them.
#ifndef FERRY_SRC_VISION_DECODER_PRESETS_H_
#define FERRY_SRC_VISION_DECODER_PRESETS_H_

#include "ferry/decode.h"

typedef struct ferry_decoder_preset {
    const char *name, *json;
    const char *twin_of; // NULL, or the preset that is proposed in its place
    const char *note;    // NULL, or what the user should know when it is proposed
} ferry_decoder_preset;

extern const ferry_decoder_preset ferry_decoder_presets[];
extern const size_t ferry_decoder_preset_count;

#endif // FERRY_SRC_VISION_DECODER_PRESETS_H_

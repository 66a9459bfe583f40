// SPDX-License-Identifier: Apache-2.0
// What each byte of a picture becomes in the network's input: one table per channel makes every element type, every
// machine and every device agree.
#ifndef FERRY_SRC_VISION_CHANNEL_TABLE_H_
#define FERRY_SRC_VISION_CHANNEL_TABLE_H_

#include "ferry/preprocess.h"

/// Of one output channel, in output order: values as bits of the element type, whatever its width.
typedef struct ferry_channel_table {
    uint32_t of_byte[256];
    uint32_t pad;
    uint32_t source; // the picture's channel
} ferry_channel_table;

void ferry_channel_tables_make(const ferry_preprocess *settings, ferry_dtype dtype, ferry_channel_table out[3]);

#endif // FERRY_SRC_VISION_CHANNEL_TABLE_H_

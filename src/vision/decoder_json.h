// SPDX-License-Identifier: Apache-2.0
// Between decoders and their JSON.
#ifndef FERRY_SRC_VISION_DECODER_JSON_H_
#define FERRY_SRC_VISION_DECODER_JSON_H_

#include "base/json.h"
#include "vision/decoder.h"

/// Fills a decoder that has its heap and an empty arena, and nothing else. FERRY_ERR_BAD_DATA with the place.
ferry_status ferry_decoder_read(ferry_decoder *decoder, const json_t *root, ferry_error *err);

#endif // FERRY_SRC_VISION_DECODER_JSON_H_

// SPDX-License-Identifier: Apache-2.0
// The whole public API in one include. The headers below it can also be included one by one.
#ifndef FERRY_FERRY_H_
#define FERRY_FERRY_H_

#include "ferry/base.h"
#include "ferry/build.h"
#include "ferry/calibrate.h"
#include "ferry/decode.h"
#include "ferry/draw.h"
#include "ferry/feed.h"
#include "ferry/histograms.h"
#include "ferry/metrics.h"
#include "ferry/network.h"
#include "ferry/picture.h"
#include "ferry/preprocess.h"
#include "ferry/runtime.h"
#include "ferry/tensor.h"

#endif // FERRY_FERRY_H_

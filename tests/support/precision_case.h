// SPDX-License-Identifier: Apache-2.0
// A model for tests of numeric plans: its scales, a plan chosen by options, and the graph lowered by it.
#ifndef FERRY_TESTS_SUPPORT_PRECISION_CASE_H_
#define FERRY_TESTS_SUPPORT_PRECISION_CASE_H_

#include "passes/choose.h"
#include "passes/lower.h"
#include "support/build_graph.h"

enum { MOST_SCALES = 256 };

typedef struct precision_case {
    graph_builder model; // G0, then left as it is
    ferry_graph passed, lowered;
    ferry_named_scale scales[MOST_SCALES];
    size_t n_scales;
    ferry_precision_options options;
    ferry_numeric_plan plan;
    ferry_report report;
    ferry_error err;
} precision_case;

/// The model of the builder is finished; passes, and min-max scales from random runs of it.
void precision_prepare(precision_case *f);
/// Chooses a plan by the options, and lowers by it.
void precision_lower(precision_case *f);
/// The same once more.
void precision_relower(precision_case *f);
void precision_done(precision_case *f);
/// Whether something was said of the subject that has the text in it.
bool precision_reported(const precision_case *f, const char *subject, const char *text);
/// The type that a value is planned to be kept in, and a layer to compute in.
ferry_dtype precision_stored_as(const precision_case *f, const char *name);
ferry_dtype precision_of_node(const precision_case *f, const char *node);
/// A convolution with weights of the shape `w`, and a bias.
ferry_value_id precision_conv(graph_builder *b, const char *name, const char *attrs, ferry_value_id x, const char *w);
/// A residual block, a depthwise step, a SiLU, a squeeze and excitation, pooling, resizing, concatenation, and a
/// classifier: everything that has an integer form.
void precision_build_everything(graph_builder *b);

#endif // FERRY_TESTS_SUPPORT_PRECISION_CASE_H_

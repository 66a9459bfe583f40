// SPDX-License-Identifier: Apache-2.0
// Which operators are taken, and for those that are not, the way round.
#include <string.h>

#include "import/onnx/reader.h"

const char *ferry_onnx_way_round(const char *op_type)
{
    static const struct {
        const char *op_type, *text;
    } ways[] = {
        {"If", "control flow: export with fixed control flow (torch.jit.trace), or let onnxsim fold it"},
        {"Loop", "control flow: export with fixed control flow (torch.jit.trace), or let onnxsim unroll it"},
        {"Scan", "control flow: export with fixed control flow, or let onnxsim unroll it"},
        {"LSTM", "recurrent layers are not supported yet"},
        {"GRU", "recurrent layers are not supported yet"},
        {"RNN", "recurrent layers are not supported yet"},
        {"QLinearConv",
         "quantise with QuantizeLinear and DequantizeLinear nodes instead (quant_format=QuantFormat.QDQ)"},
        {"QLinearMatMul",
         "quantise with QuantizeLinear and DequantizeLinear nodes instead (quant_format=QuantFormat.QDQ)"},
        {"ImageScaler",
         "ONNX dropped it in version 1.5: scale the picture while preprocessing, or export with Mul and Add"},
        {"Affine", "ONNX dropped it in version 1.5: export with Mul and Add instead"},
        {"Crop", "ONNX dropped it in version 1.5: export with Slice instead"},
        {"ParametricSoftplus", "ONNX dropped it in version 1.5: export with Softplus and Mul"},
        {"ScaledTanh", "ONNX dropped it in version 1.5: export with Tanh and Mul"},
        {"StringNormalizer", "text operators are not supported: leave them to the program that feeds the model"},
        {"TfIdfVectorizer", "text operators are not supported: leave them to the program that feeds the model"},
        {"DFT", "signal operators are not supported: compute the spectrum before the model"},
        {"STFT", "signal operators are not supported: compute the spectrum before the model"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(ways); i++)
        if (strcmp(ways[i].op_type, op_type) == 0) return ways[i].text;
    if (strncmp(op_type, "Sequence", 8) == 0 || strncmp(op_type, "Optional", 8) == 0)
        return "only tensors are supported, no sequences and optionals: export with tensors alone";
    return "export the model with operators that ferry knows, or let onnxsim fold it";
}

static bool is_default_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static ferry_status refuse_domain(const ferry_onnx_reader *r, const char *domain, const char *op_type, ferry_error *err)
{
    for (size_t i = 0; r->model && i < r->model->n_functions; i++) {
        const Ferry__Onnx__Function *f = r->model->functions[i];
        if (f->name && strcmp(f->name, op_type) == 0 && strcmp(f->domain ? f->domain : "", domain) == 0)
            return ferry_fail(
                err, FERRY_ERR_UNSUPPORTED,
                "calls the model's own function %s::%s: inline it first, with onnx.inliner.inline_local_functions",
                domain, op_type);
    }
    if (strcmp(domain, "com.microsoft") == 0)
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "operator %s::%s belongs to ONNX Runtime: import the model as it was before ONNX Runtime's tools "
            "optimised or quantised it, or quantise it with quant_format=QuantFormat.QDQ",
            domain, op_type);
    return ferry_fail(
        err, FERRY_ERR_UNSUPPORTED,
        "operator %s::%s is of a custom domain, which ferry does not know: export with ONNX's own operators", domain,
        op_type);
}

bool ferry_onnx_is_known(const char *domain, const char *op_type)
{
    if (!is_default_domain(domain)) return false;
    return strcmp(op_type, "Constant") == 0 || ferry_onnx_is_upgraded(op_type) || ferry_op_find("", op_type);
}

ferry_status ferry_onnx_check_known(const ferry_onnx_reader *r, const char *domain, const char *op_type,
                                    ferry_error *err)
{
    if (!op_type || !*op_type) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has no operator");
    if (!is_default_domain(domain)) return refuse_domain(r, domain, op_type, err);
    if (ferry_onnx_is_known(domain, op_type)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s is not supported; %s", op_type,
                      ferry_onnx_way_round(op_type));
}

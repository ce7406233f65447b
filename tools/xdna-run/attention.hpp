// xdna-run's way with attention: queries, keys and values as a model has them, quantised here.
#pragma once

#include <string>

#include "tools/xdna-run/options.hpp"

namespace xdna::run {

/// attention_{256,512,1024,2048}_{int8,int4_int8,int4}, with or without the head size behind it.
bool is_attention(const std::string& kernel);

/// Runs it on --q, --k and --v: .npy, [heads][length][head size] or without heads, of float16,
/// float32, float64 or int8; int8 with --q_scale, --k_scale, --v_scale, float32 [heads]. Else on
/// random numbers. Writes --o. Returns the exit status.
int run_attention(const Options& options);

}  // namespace xdna::run

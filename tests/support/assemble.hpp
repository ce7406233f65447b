// Core programs of tests, from assembly text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/as/assembler.hpp"

namespace xdna::test {

/// Machine code of `source`, at address 0, with nops where an instruction has to wait for what it
/// reads.
inline std::vector<uint8_t> assemble(const std::string& source) {
    as::Options options;
    options.insert_nops = true;
    as::Diagnostics diagnostics;
    const auto object = as::assemble("core.s", source, options, diagnostics);
    if (!object) {
        for (const auto& each : diagnostics.list()) {
            ADD_FAILURE() << each.message;
        }
        return {};
    }
    return as::flat_program(as::link(*object));
}

}  // namespace xdna::test

#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "kernels/as/assembler.hpp"
#include "kernels/as/disassemble.hpp"

namespace xdna::as {

struct Result {
    std::optional<Object> object;
    Diagnostics diagnostics;

    [[nodiscard]] std::string messages() const {
        std::string text;
        for (const Diagnostic& diagnostic : diagnostics.list())
            text += format(diagnostic);
        return text;
    }
    [[nodiscard]] const ObjectSection& section(std::string_view name = ".text") const {
        for (const ObjectSection& section : object.value().sections)
            if (section.name == name)
                return section;
        throw std::runtime_error("no section " + std::string(name));
    }
    /// The code as text, one bundle a line.
    [[nodiscard]] std::string text() const {
        std::string lines;
        for (const CodeLine& line : disassemble(section().bytes, 0))
            lines += line.text + line.problem + '\n';
        return lines;
    }
};

inline Result run(std::string_view source, const Options& options = {}) {
    Result result;
    result.object = assemble("test.s", source, options, result.diagnostics);
    return result;
}

/// The same, of a source that has no mistakes.
inline Result run_good(std::string_view source, const Options& options = {}) {
    Result result = run(source, options);
    EXPECT_TRUE(result.object) << result.messages();
    EXPECT_TRUE(!result.object || result.diagnostics.list().empty()) << result.messages();
    return result;
}

}  // namespace xdna::as

#include "kernels/as/diagnostic.hpp"

#include <utility>

namespace xdna::as {

namespace {

std::string position(const Location& where) {
    return where.source->name + ':' + std::to_string(where.line) + ':' +
           std::to_string(where.column);
}

}  // namespace

std::string format(const Diagnostic& diagnostic) {
    const Location& where = diagnostic.where;
    std::string text = position(where) +
                       (diagnostic.severity == Severity::kError ? ": error: " : ": warning: ") +
                       diagnostic.message + '\n';
    if (where.line > 0 && where.line <= where.source->lines.size()) {
        const std::string& line = where.source->lines[where.line - 1];
        text += line + '\n';
        // Tabs are kept, so that the caret stands below its column in any width of them.
        for (std::uint32_t i = 0; i + 1 < where.column && i < line.size(); ++i)
            text += line[i] == '\t' ? '\t' : ' ';
        text += "^\n";
    }
    for (auto use = where.used_at; use; use = use->used_at)
        text += position(*use) + ": note: used here\n";
    return text;
}

void Diagnostics::error(const Location& where, std::string message) {
    if (full())
        return;
    ++errors_;
    list_.push_back({Severity::kError, where, std::move(message)});
}

void Diagnostics::warn(const Location& where, std::string message) {
    if (!full())
        list_.push_back({Severity::kWarning, where, std::move(message)});
}

}  // namespace xdna::as

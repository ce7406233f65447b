#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::as {

/// A piece of source text: a file, or what a macro expanded to.
struct Source {
    std::string name;
    std::vector<std::string> lines;
};

/// A place in the source. Line and column count from 1.
struct Location {
    std::shared_ptr<const Source> source;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    /// Where the macro was used that this line comes from; null if it does not.
    std::shared_ptr<const Location> used_at;
};

enum class Severity : std::uint8_t { kWarning, kError };

struct Diagnostic {
    Severity severity;
    Location where;
    std::string message;
};

/// "file:line:column: error: message", the line, and a caret below the column; then the uses of
/// the macros that it comes from.
[[nodiscard]] std::string format(const Diagnostic& diagnostic);

/// What was found wrong, in the order of finding.
class Diagnostics {
  public:
    void error(const Location& where, std::string message);
    void warn(const Location& where, std::string message);

    [[nodiscard]] bool has_errors() const { return errors_ != 0; }
    [[nodiscard]] const std::vector<Diagnostic>& list() const { return list_; }
    /// No more are taken after this many errors.
    [[nodiscard]] bool full() const { return errors_ >= kMaxErrors; }

  private:
    static constexpr unsigned kMaxErrors = 100;
    std::vector<Diagnostic> list_;
    unsigned errors_ = 0;
};

}  // namespace xdna::as

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/as/diagnostic.hpp"
#include "kernels/as/lexer.hpp"

namespace xdna::as {

/// One line to be assembled.
struct Line {
    std::vector<Token> tokens;
    std::string text;
    Location where;  ///< column 1

    [[nodiscard]] Location at(const Token& token) const {
        Location place = where;
        place.column = token.column;
        return place;
    }
};

/// Gives the lines of the source one by one, with macros, repetitions, inclusions and conditions
/// carried out.
class Reader {
  public:
    struct Hooks {
        /// The number that the tokens from `at` on express; reports an error if there is none.
        std::function<std::optional<std::int64_t>(const Line& line, std::size_t at)> number;
        std::function<bool(const std::string& symbol)> defined;
    };

    Reader(std::string name, std::string_view text, std::vector<std::filesystem::path> folders,
           Diagnostics& diagnostics, Hooks hooks);

    /// The next line; false at the end of the source.
    bool next(Line& line);

    /// Carries out the directive or macro at tokens[at], if it is one that steers the reader.
    bool steer(const Line& line, std::size_t at);

  private:
    struct Input {
        std::shared_ptr<const Source> source;
        std::size_t next = 0;
        bool in_comment = false;
        std::shared_ptr<const Location> used_at;
    };
    struct Parameter {
        std::string name;
        std::string value;  ///< if none is given
        bool required = false;
    };
    struct Macro {
        std::vector<Parameter> parameters;
        std::vector<std::string> body;
    };
    struct Condition {
        Location where;
        bool active;      ///< lines are taken now
        bool was_active;  ///< a branch was taken, or none may be
        bool in_else = false;
        std::size_t depth;  ///< of inputs
    };

    bool read(Line& line);
    void push(std::string name, std::vector<std::string> lines, const Location& used_at);
    [[nodiscard]] bool skipping() const {
        return !conditions_.empty() && !conditions_.back().active;
    }
    bool condition(const Line& line, std::size_t at);
    void define(const Line& line, std::size_t at);
    void expand(const Macro& macro, const Line& line, std::size_t at);
    void repeat(const Line& line, std::size_t at);
    void repeat_for(const Line& line, std::size_t at);
    void include(const Line& line, std::size_t at);
    std::vector<std::string> collect(const Line& line, std::size_t at, std::string_view end);
    [[nodiscard]] std::vector<std::string> arguments(const Line& line, std::size_t at) const;
    void fail(const Line& line, std::size_t at, std::string message);

    std::vector<Input> inputs_;
    std::vector<Condition> conditions_;
    std::map<std::string, Macro, std::less<>> macros_;
    std::vector<std::filesystem::path> folders_;
    Diagnostics& diagnostics_;
    Hooks hooks_;
    std::size_t lines_made_ = 0;
    std::size_t bytes_made_ = 0;
    std::size_t expansions_ = 0;
};

}  // namespace xdna::as

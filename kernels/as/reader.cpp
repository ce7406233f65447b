#include "kernels/as/reader.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <sstream>
#include <utility>

namespace xdna::as {

namespace {

using Kind = Token::Kind;

constexpr std::size_t kMaxDepth = 64;
/// Lines that macros and repetitions may make: a bound on what a small source can cost.
constexpr std::size_t kMaxLines = 1 << 20;
constexpr std::size_t kMaxBytes = 1 << 26;

std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        lines.emplace_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string trim(std::string_view text) {
    const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    return std::string(text);
}

bool in_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

/// The line with \name replaced by its value, \@ by the number of the expansion, \() by nothing.
std::string substitute(std::string_view line, const std::map<std::string, std::string>& values,
                       std::size_t number) {
    std::string result;
    for (std::size_t i = 0; i < line.size() && result.size() <= kMaxBytes; ++i) {
        if (line[i] != '\\') {
            result += line[i];
            continue;
        }
        if (line.substr(i + 1).starts_with("@")) {
            result += std::to_string(number);
            i += 1;
            continue;
        }
        if (line.substr(i + 1).starts_with("()")) {
            i += 2;
            continue;
        }
        std::size_t end = i + 1;
        while (end < line.size() && in_name(line[end]))
            ++end;
        const auto value = values.find(std::string(line.substr(i + 1, end - i - 1)));
        result += value == values.end() ? std::string(line.substr(i, end - i)) : value->second;
        i = end - 1;
    }
    return result;
}

/// The first word of a line behind its labels; the index of its token.
std::size_t first_word(const std::vector<Token>& tokens) {
    std::size_t at = 0;
    while (tokens[at].kind == Kind::kWord && tokens[at + 1].is(":"))
        at += 2;
    return at;
}

constexpr std::array<std::string_view, 7> kConditions = {".if",   ".ifdef", ".ifndef",  ".elseif",
                                                         ".else", ".endif", ".ifnotdef"};
constexpr std::array<std::string_view, 4> kBlocks = {".macro", ".rept", ".irp", ".irpc"};

template <typename List>
bool contains(const List& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

}  // namespace

Reader::Reader(std::string name, std::string_view text, std::vector<std::filesystem::path> folders,
               Diagnostics& diagnostics, Hooks hooks)
    : folders_(std::move(folders)), diagnostics_(diagnostics), hooks_(std::move(hooks)) {
    inputs_.push_back(
        {std::make_shared<const Source>(Source{std::move(name), split_lines(text)}), 0, false, {}});
}

void Reader::fail(const Line& line, std::size_t at, std::string message) {
    diagnostics_.error(line.at(line.tokens[at]), std::move(message));
}

bool Reader::read(Line& line) {
    while (!inputs_.empty()) {
        Input& input = inputs_.back();
        if (input.next < input.source->lines.size()) {
            line.text = input.source->lines[input.next++];
            line.where = {input.source, static_cast<std::uint32_t>(input.next), 1, input.used_at};
            line.tokens = tokenize(line.text, input.in_comment);
            return true;
        }
        while (!conditions_.empty() && conditions_.back().depth == inputs_.size()) {
            diagnostics_.error(conditions_.back().where, "this condition has no .endif");
            conditions_.pop_back();
        }
        inputs_.pop_back();
    }
    return false;
}

bool Reader::next(Line& line) {
    while (!diagnostics_.full() && read(line)) {
        if (!skipping())
            return true;
        const std::size_t at = first_word(line.tokens);
        if (line.tokens[at].kind == Kind::kWord && contains(kConditions, line.tokens[at].text))
            condition(line, at);
    }
    return false;
}

void Reader::push(std::string name, std::vector<std::string> lines, const Location& used_at) {
    lines_made_ += lines.size();
    for (const std::string& line : lines)
        bytes_made_ += line.size();
    if (inputs_.size() >= kMaxDepth || lines_made_ > kMaxLines || bytes_made_ > kMaxBytes) {
        diagnostics_.error(used_at, inputs_.size() >= kMaxDepth
                                        ? "macros and inclusions are nested too deeply"
                                        : "macros and repetitions make too much text");
        // Nothing sensible can follow; what is open would go on making lines.
        inputs_.clear();
        conditions_.clear();
        return;
    }
    inputs_.push_back({std::make_shared<const Source>(Source{std::move(name), std::move(lines)}), 0,
                       false, std::make_shared<const Location>(used_at)});
}

bool Reader::steer(const Line& line, std::size_t at) {
    const std::string& word = line.tokens[at].text;
    if (contains(kConditions, word))
        return condition(line, at);
    if (word == ".macro")
        define(line, at);
    else if (word == ".rept")
        repeat(line, at);
    else if (word == ".irp")
        repeat_for(line, at);
    else if (word == ".include")
        include(line, at);
    else if (word == ".endm" || word == ".endr" || word == ".endmacro")
        fail(line, at, word + " ends nothing");
    else if (const auto macro = macros_.find(word); macro != macros_.end())
        expand(macro->second, line, at);
    else
        return false;
    return true;
}

bool Reader::condition(const Line& line, std::size_t at) {
    const std::string& word = line.tokens[at].text;
    if (word.starts_with(".if")) {
        Condition condition{line.at(line.tokens[at]), false, true, false, inputs_.size()};
        if (!skipping()) {
            bool holds = false;
            if (word == ".if") {
                const auto number = hooks_.number(line, at + 1);
                holds = number && *number != 0;
            } else if (line.tokens[at + 1].kind == Kind::kWord) {
                holds = hooks_.defined(line.tokens[at + 1].text) == (word == ".ifdef");
            } else {
                fail(line, at + 1, word + " needs a symbol");
            }
            condition.active = condition.was_active = holds;
        }
        conditions_.push_back(std::move(condition));
        return true;
    }
    if (conditions_.empty() || conditions_.back().depth != inputs_.size()) {
        fail(line, at, word + " without .if");
        return true;
    }
    if (word == ".endif") {
        conditions_.pop_back();
        return true;
    }
    Condition& condition = conditions_.back();
    if (condition.in_else)
        fail(line, at, word + " behind .else");
    condition.in_else = word == ".else";
    condition.active = false;
    if (!condition.was_active) {
        // The lines are taken as at the .if: number() reports into the same diagnostics.
        const auto number =
            word == ".else" ? std::optional<std::int64_t>(1) : hooks_.number(line, at + 1);
        condition.active = condition.was_active = number && *number != 0;
    }
    return true;
}

std::vector<std::string> Reader::collect(const Line& line, std::size_t at, std::string_view end) {
    std::vector<std::string> body;
    const std::size_t depth = inputs_.size();
    std::size_t open = 1;
    while (inputs_.size() == depth && inputs_.back().next < inputs_.back().source->lines.size()) {
        Line inner;
        read(inner);
        const Token& first = inner.tokens[first_word(inner.tokens)];
        const bool closes =
            end == ".endm" ? first.text == ".endm" || first.text == ".endmacro" : first.text == end;
        if (first.kind == Kind::kWord && closes && --open == 0)
            return body;
        if (first.kind == Kind::kWord && contains(kBlocks, first.text) &&
            (first.text == ".macro") == (end == ".endm"))
            ++open;
        body.push_back(std::move(inner.text));
    }
    fail(line, at, line.tokens[at].text + " has no " + std::string(end));
    return {};
}

std::vector<std::string> Reader::arguments(const Line& line, std::size_t at) const {
    std::vector<std::string> list;
    unsigned nesting = 0;
    std::size_t start = line.tokens[at].column - 1;
    if (line.tokens[at].kind == Kind::kEnd)
        return list;
    for (std::size_t i = at;; ++i) {
        const Token& token = line.tokens[i];
        if (token.is("(") || token.is("[") || token.is("{"))
            ++nesting;
        if ((token.is(")") || token.is("]") || token.is("}")) && nesting > 0)
            --nesting;
        const bool ends = token.kind == Kind::kEnd;
        if (!ends && !(token.is(",") && nesting == 0))
            continue;
        const std::size_t stop = token.column - 1;
        list.push_back(trim(std::string_view(line.text).substr(start, stop - start)));
        if (ends)
            return list;
        start = stop + 1;
    }
}

namespace {

/// Quotation marks around a macro's argument hold it together and are no part of it.
std::string unquoted(std::string text) {
    const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
    return quoted ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

void Reader::define(const Line& line, std::size_t at) {
    Macro macro;
    std::size_t i = at + 1;
    const Token name = line.tokens[i];
    const bool named = name.kind == Kind::kWord;
    if (!named)
        fail(line, i, ".macro needs a name");
    else
        ++i;
    while (named && line.tokens[i].kind != Kind::kEnd) {
        if (line.tokens[i].is(",")) {
            ++i;
            continue;
        }
        Parameter parameter;
        if (line.tokens[i].kind != Kind::kWord) {
            fail(line, i, "expected the name of a parameter");
            break;
        }
        parameter.name = line.tokens[i++].text;
        if (line.tokens[i].is(":") && line.tokens[i + 1].text == "req") {
            parameter.required = true;
            i += 2;
        } else if (line.tokens[i].is("=")) {
            const std::size_t start = line.tokens[i].column;
            do {
                ++i;
            } while (line.tokens[i].kind != Kind::kEnd && !line.tokens[i].is(","));
            parameter.value = unquoted(
                trim(std::string_view(line.text).substr(start, line.tokens[i].column - 1 - start)));
        }
        macro.parameters.push_back(std::move(parameter));
    }
    macro.body = collect(line, at, ".endm");
    if (named)
        macros_.insert_or_assign(name.text, std::move(macro));
}

void Reader::expand(const Macro& macro, const Line& line, std::size_t at) {
    std::map<std::string, std::string> values;
    for (const Parameter& parameter : macro.parameters)
        values[parameter.name] = parameter.value;
    const auto given = arguments(line, at + 1);
    std::vector<bool> is_given(macro.parameters.size(), false);
    std::size_t position = 0;
    for (const std::string& argument : given) {
        std::size_t index = position;
        std::string value = argument;
        for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
            const std::string& name = macro.parameters[i].name;
            const std::string rest = argument.starts_with(name)
                                         ? trim(std::string_view(argument).substr(name.size()))
                                         : std::string();
            if (rest.starts_with("=") && !rest.starts_with("==")) {
                index = i;
                value = trim(std::string_view(rest).substr(1));
            }
        }
        if (index >= macro.parameters.size()) {
            fail(line, at,
                 "macro " + line.tokens[at].text + " takes " +
                     std::to_string(macro.parameters.size()) + " arguments, not " +
                     std::to_string(given.size()));
            return;
        }
        position = index + 1;
        if (!value.empty()) {
            is_given[index] = true;
            values[macro.parameters[index].name] = unquoted(value);
        }
    }
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
        if (macro.parameters[i].required && !is_given[i]) {
            fail(line, at,
                 "macro " + line.tokens[at].text + " needs its parameter " +
                     macro.parameters[i].name);
            return;
        }
    }
    std::vector<std::string> lines;
    std::size_t bytes = 0;
    for (const std::string& text : macro.body) {
        lines.push_back(substitute(text, values, expansions_));
        bytes += lines.back().size();
        if (bytes > kMaxBytes) {
            fail(line, at, "the macro makes too much text");
            return;
        }
    }
    ++expansions_;
    push("macro " + line.tokens[at].text, std::move(lines), line.at(line.tokens[at]));
}

void Reader::repeat(const Line& line, std::size_t at) {
    const auto count = hooks_.number(line, at + 1);
    const auto body = collect(line, at, ".endr");
    if (!count || *count <= 0 || body.empty())
        return;
    std::size_t bytes = 1;
    for (const std::string& text : body)
        bytes += text.size();
    const auto times = static_cast<std::uint64_t>(*count);
    if (times > kMaxLines / body.size() || times > kMaxBytes / bytes) {
        fail(line, at + 1, "too many repetitions: " + std::to_string(*count));
        return;
    }
    std::vector<std::string> lines;
    for (std::int64_t i = 0; i < *count; ++i)
        lines.insert(lines.end(), body.begin(), body.end());
    push(".rept", std::move(lines), line.at(line.tokens[at]));
}

void Reader::repeat_for(const Line& line, std::size_t at) {
    auto list = arguments(line, at + 1);
    const auto body = collect(line, at, ".endr");
    if (list.empty()) {
        fail(line, at, ".irp needs the name of a parameter");
        return;
    }
    // The parameter may be set apart from the values by a blank alone.
    const std::size_t blank = list[0].find_first_of(" \t");
    std::vector<std::string> values(list.begin() + 1, list.end());
    if (blank != std::string::npos) {
        values.insert(values.begin(), trim(std::string_view(list[0]).substr(blank)));
        list[0].resize(blank);
    }
    std::vector<std::string> lines;
    std::size_t bytes = 0;
    for (const std::string& value : values) {
        for (const std::string& text : body) {
            lines.push_back(substitute(text, {{list[0], value}}, expansions_));
            bytes += lines.back().size();
            if (bytes > kMaxBytes || lines.size() > kMaxLines) {
                fail(line, at, ".irp makes too much text");
                return;
            }
        }
    }
    push(".irp", std::move(lines), line.at(line.tokens[at]));
}

void Reader::include(const Line& line, std::size_t at) {
    if (line.tokens[at + 1].kind != Kind::kString) {
        fail(line, at + 1, ".include needs the name of a file, in quotes");
        return;
    }
    const std::filesystem::path name = line.tokens[at + 1].text;
    std::vector<std::filesystem::path> places = {
        std::filesystem::path(line.where.source->name).parent_path()};
    places.insert(places.end(), folders_.begin(), folders_.end());
    for (const auto& folder : places) {
        const auto path = name.is_absolute() ? name : folder / name;
        std::error_code status;
        if (!std::filesystem::is_regular_file(path, status))
            continue;
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        push(path.string(), split_lines(text.str()), line.at(line.tokens[at]));
        return;
    }
    fail(line, at + 1, "cannot find " + name.string());
}

}  // namespace xdna::as

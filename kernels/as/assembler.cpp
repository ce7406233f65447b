// From lines to sections, fragments and symbols, and from those, once laid out, to an object.

#include "kernels/as/assembler.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>

#include "kernels/as/pipeline.hpp"
#include "kernels/as/reader.hpp"
#include "kernels/as/unit.hpp"

namespace xdna::as {

namespace {

using Kind = Token::Kind;

constexpr std::uint32_t kMaxSectionBytes = 1 << 24;
constexpr unsigned kMaxValueDepth = 100;
constexpr unsigned kMaxResolved = 1 << 20;
constexpr unsigned kMaxStages = 32;
constexpr unsigned kMaxInterval = 256;  // cycles, of a .pipeline loop
constexpr std::size_t kMaxBody = 1024;  // instructions

class Assembler {
  public:
    Assembler(const Options& options, Diagnostics& diagnostics)
        : options_(options), diagnostics_(diagnostics) {}

    std::optional<Object> run(const std::string& name, std::string_view source) {
        Reader reader(name, source, options_.include_folders, diagnostics_,
                      {[this](const Line& line, std::size_t at) { return number_now(line, at); },
                       [this](const std::string& symbol) {
                           const auto found = names_.find(symbol);
                           return found != names_.end() &&
                                  found->second->kind != Symbol::Kind::kUndefined;
                       }});
        for (const auto& [symbol, value] : options_.defines) {
            auto node = std::make_shared<Expression>();
            node->number = value;
            Symbol& defined = *symbol_of(symbol, {});
            defined.kind = Symbol::Kind::kValue;
            defined.value = node;
        }
        switch_section(".text");
        Line line;
        while (reader.next(line))
            statement(reader, line);
        if (body_)
            diagnostics_.error(body_->where, ".pipeline without .endpipeline");
        mark_targets();
        if (!diagnostics_.has_errors() && (options_.insert_nops || insert_nops_))
            insert_nops(unit_, diagnostics_);
        if (!diagnostics_.has_errors())
            lay_out(unit_, diagnostics_);
        if (!diagnostics_.has_errors() && options_.check_latency)
            check_hazards(unit_, diagnostics_);
        Object object;
        if (!diagnostics_.has_errors())
            emit(object);
        return diagnostics_.has_errors() ? std::nullopt : std::optional(std::move(object));
    }

  private:
    using Handler = void (Assembler::*)(const Line&, std::size_t);

    // --- symbols and expressions ---

    Symbol* symbol_of(const std::string& name, const Location& where) {
        if (name == ".")
            return place_label({}, where);
        auto& entry = names_[name];
        if (entry == nullptr) {
            entry = &unit_.symbols.emplace_back();
            entry->name = name;
            entry->where = where;
        }
        return entry;
    }

    Symbol* place_label(Symbol* symbol, const Location& where) {
        if (symbol == nullptr)
            symbol = &unit_.symbols.emplace_back();
        symbol->kind = Symbol::Kind::kLabel;
        symbol->where = where;
        symbol->section = current_;
        Fragment& label = append(Fragment::Kind::kLabel, where);
        label.label = symbol;
        return symbol;
    }

    ExpressionPtr expression(const Line& line, std::size_t& at) {
        Mistake mistake;
        const auto symbols = [&](const std::string& name) {
            return symbol_of(name, line.at(line.tokens[at]));
        };
        auto result = parse_expression(line.tokens, at, line.where, symbols, mistake);
        if (!result)
            error(line, mistake);
        return result;
    }

    std::optional<Evaluated> evaluate_now(const Expression& expression) {
        Diagnostic problem{};
        const auto resolve = [this](Symbol& symbol, std::string& why) {
            return resolve_symbol(symbol, why);
        };
        const auto distance = [](const Symbol& a, const Symbol& b) -> std::optional<std::int64_t> {
            if (&a == &b)
                return 0;
            const bool known = a.placed && b.placed && a.section == b.section;
            return known ? std::optional(std::int64_t{a.offset} - b.offset) : std::nullopt;
        };
        auto value = evaluate(expression, resolve, distance, problem);
        if (!value)
            diagnostics_.error(problem.where, problem.message);
        return value;
    }

    std::optional<Evaluated> resolve_symbol(Symbol& symbol, std::string& why) {
        if (symbol.kind != Symbol::Kind::kValue)
            return Evaluated{&symbol, 0};
        if (symbol.value->kind == Expression::Kind::kNumber)
            return Evaluated{nullptr, symbol.value->number};
        // Values that use others twice, in chains, take work that doubles with each.
        if (symbol.evaluating || depth_ > kMaxValueDepth || ++resolved_ > kMaxResolved) {
            why = symbol.evaluating ? "the value of " + symbol.name + " needs itself"
                                    : "values are nested too deeply";
            return std::nullopt;
        }
        symbol.evaluating = true;
        ++depth_;
        const auto value = evaluate_now(*symbol.value);
        --depth_;
        symbol.evaluating = false;
        if (!value)
            why = "the value of " + symbol.name + " is not known";
        return value;
    }

    /// The number that must be known where it is read: counts, alignments, conditions.
    std::optional<std::int64_t> number_now(const Line& line, std::size_t at) {
        const auto value = number_at(line, at);
        if (value && line.tokens[at].kind != Kind::kEnd) {
            error(line, {line.tokens[at].column, "unexpected '" + line.tokens[at].text + "'"});
            return std::nullopt;
        }
        return value;
    }

    std::optional<std::int64_t> number_at(const Line& line, std::size_t& at) {
        const std::size_t start = at;
        const auto parsed = expression(line, at);
        if (!parsed)
            return std::nullopt;
        const auto value = evaluate_now(*parsed);
        if (!value)
            return std::nullopt;
        if (value->symbol != nullptr) {
            error(line, {line.tokens[start].column,
                         value->symbol->kind == Symbol::Kind::kUndefined
                             ? value->symbol->name + " must be defined before it is used here"
                             : "a number is needed here, not an address"});
            return std::nullopt;
        }
        return value->addend;
    }

    std::optional<std::uint32_t> count_at(const Line& line, std::size_t& at,
                                          std::uint32_t maximum) {
        const std::size_t start = at;
        const auto value = number_at(line, at);
        if (value && (*value < 0 || *value > maximum)) {
            error(line,
                  {line.tokens[start].column,
                   std::to_string(*value) + " is out of range: 0 to " + std::to_string(maximum)});
            return std::nullopt;
        }
        return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
    }

    void error(const Line& line, const Mistake& mistake) {
        Location where = line.where;
        where.column = mistake.column;
        diagnostics_.error(where, mistake.message);
    }

    void error(const Line& line, std::size_t at, std::string message) {
        diagnostics_.error(line.at(line.tokens[at]), std::move(message));
    }

    /// Is the line at its end? Says so if not.
    bool at_end(const Line& line, std::size_t at) {
        const Token& token = line.tokens[at];
        if (token.kind != Kind::kEnd)
            error(line, at,
                  token.kind == Kind::kBad ? token.text : "unexpected '" + token.text + "'");
        return token.kind == Kind::kEnd;
    }

    // --- sections and fragments ---

    UnitSection& section() { return unit_.sections[current_]; }

    Fragment& append(Fragment::Kind kind, const Location& where) {
        Fragment& fragment = section().fragments.emplace_back();
        fragment.kind = kind;
        fragment.where = where;
        fragment.auto_align = auto_align_;
        return fragment;
    }

    void switch_section(const std::string& name, std::int64_t unique = -1) {
        const auto found = std::ranges::find_if(unit_.sections, [&](const UnitSection& other) {
            return other.name == name && other.unique == unique;
        });
        if (found == unit_.sections.end()) {
            UnitSection fresh;
            fresh.name = name;
            fresh.unique = unique;
            const auto is = [&](std::string_view kind) {
                return name == kind || name.starts_with(std::string(kind) + ".");
            };
            if (is(".text"))
                fresh.flags = kAllocate | kExecute;
            else if (is(".data") || is(".bss"))
                fresh.flags = kAllocate | kWrite;
            else if (is(".rodata"))
                fresh.flags = kAllocate;
            if (is(".bss"))
                fresh.type = kSectionNobits;
            fresh.alignment = fresh.executable() ? 16 : 1;
            // The section that source starts in is there only if something is put into it.
            if (unit_.sections.size() == 1 && section().fragments.empty())
                unit_.sections.clear();
            unit_.sections.push_back(std::move(fresh));
            current_ = unit_.sections.size() - 1;
        } else {
            current_ = static_cast<std::size_t>(found - unit_.sections.begin());
        }
    }

    /// The data fragment to append bytes to; null, with an error, in a section without contents.
    Fragment* data_fragment(const Line& line, std::size_t bytes) {
        if (section().type == kSectionNobits) {
            error(line, 0, "section " + section().name + " cannot have contents");
            return nullptr;
        }
        if (!take_bytes(line, bytes))
            return nullptr;
        auto& fragments = section().fragments;
        if (fragments.empty() || fragments.back().kind != Fragment::Kind::kData)
            return &append(Fragment::Kind::kData, line.where);
        return &fragments.back();
    }

    bool take_bytes(const Line& line, std::size_t bytes) {
        bytes_ += bytes;
        if (bytes_ > kMaxSectionBytes) {
            error(line, 0,
                  "more than " + std::to_string(kMaxSectionBytes) + " bytes of code and data");
            return false;
        }
        return true;
    }

    // --- statements ---

    void statement(Reader& reader, const Line& line) {
        std::size_t at = 0;
        const auto& tokens = line.tokens;
        if (tokens[0].is("#"))  // a line marker of the C preprocessor
            return;
        while (tokens[at].kind == Kind::kWord && tokens[at + 1].is(":")) {
            define_label(line, at);
            at += 2;
        }
        if (tokens[at].kind == Kind::kEnd)
            return;
        if (tokens[at].kind == Kind::kWord && reader.steer(line, at))
            return;
        if (tokens[at].kind == Kind::kWord && tokens[at + 1].is("=") && tokens[at].text != ".") {
            define_value(line, at, at + 2);
            return;
        }
        if (tokens[at].kind == Kind::kWord && tokens[at].text.starts_with('.'))
            directive(line, at);
        else
            bundle(line, at);
    }

    void define_label(const Line& line, std::size_t at) {
        const std::string& name = line.tokens[at].text;
        if (name == "." || name.starts_with('@')) {
            error(line, at, name + " cannot be a label");
            return;
        }
        Symbol& symbol = *symbol_of(name, line.at(line.tokens[at]));
        if (symbol.kind != Symbol::Kind::kUndefined) {
            error(line, at,
                  name + " is defined already, in line " + std::to_string(symbol.where.line));
            return;
        }
        place_label(&symbol, line.at(line.tokens[at]));
    }

    void define_value(const Line& line, std::size_t name, std::size_t at) {
        const Location where = line.at(line.tokens[name]);
        auto value = expression(line, at);
        if (!value || !at_end(line, at))
            return;
        Symbol& symbol = *symbol_of(line.tokens[name].text, where);
        if (symbol.kind == Symbol::Kind::kLabel) {
            error(line, name, symbol.name + " is a label already");
            return;
        }
        // A number is fixed now, so that a value may be changed: .set n, n + 1.
        value = fixed(std::move(value));
        symbol.kind = Symbol::Kind::kValue;
        symbol.value = std::move(value);
        symbol.where = where;
    }

    /// The expression as the number that it is now, if it is one.
    ExpressionPtr fixed(ExpressionPtr value) {
        const auto known = fixed_number(*value);
        if (!known)
            return value;
        auto node = std::make_shared<Expression>();
        node->number = *known;
        node->where = value->where;
        return node;
    }

    /// The number that an expression without addresses is; nothing for others, without a word.
    std::optional<std::int64_t> fixed_number(const Expression& value) {
        Diagnostic ignored{};
        const auto numbers = [](Symbol& symbol, std::string&) -> std::optional<Evaluated> {
            if (symbol.kind != Symbol::Kind::kValue ||
                symbol.value->kind != Expression::Kind::kNumber)
                return std::nullopt;
            return Evaluated{nullptr, symbol.value->number};
        };
        const auto none = [](const Symbol&, const Symbol&) -> std::optional<std::int64_t> {
            return std::nullopt;
        };
        const auto known = evaluate(value, numbers, none, ignored);
        return known ? std::optional(known->addend) : std::nullopt;
    }

    void bundle(const Line& line, std::size_t at) {
        if (!section().executable()) {
            error(line, at,
                  "instructions in section " + section().name + ", which is not executable");
            return;
        }
        Fragment fragment{};
        fragment.kind = Fragment::Kind::kBundle;
        fragment.where = line.at(line.tokens[at]);
        fragment.auto_align = auto_align_;
        fragment.wanted = std::exchange(wanted_format_, std::nullopt);
        std::map<isa::Slot, const Token*> taken;
        std::size_t used_at = at;
        const std::function<Symbol*(const std::string&)> symbols = [&](const std::string& name) {
            return symbol_of(name, line.at(line.tokens[used_at]));
        };
        bool good = true;
        while (true) {
            used_at = at;
            std::vector<Token> slot;
            while (line.tokens[at].kind != Kind::kEnd && !line.tokens[at].is(";"))
                slot.push_back(line.tokens[at++]);
            slot.push_back({Kind::kEnd, {}, 0, line.tokens[at].column});
            auto parsed = parse_instruction(slot, line.where, symbols);
            if (auto* mistake = std::get_if<Mistake>(&parsed)) {
                error(line, *mistake);
                good = false;
            } else {
                auto& instruction = std::get<ParsedInstruction>(parsed);
                for (auto& immediate : instruction.immediates)
                    immediate.value = fixed(std::move(immediate.value));
                const isa::Slot where = isa::operation(instruction.instruction.op).slot;
                const auto [other, fresh] = taken.emplace(where, &line.tokens[used_at]);
                if (!fresh) {
                    error(line, used_at,
                          line.tokens[used_at].text + " and " + other->second->text +
                              " both need slot " + std::string(isa::name(where)));
                    good = false;
                }
                fragment.instructions.push_back(std::move(instruction));
            }
            if (line.tokens[at].kind == Kind::kEnd)
                break;
            ++at;
            // llvm-aie's output ends some bundles with a separator.
            if (line.tokens[at].kind == Kind::kEnd)
                break;
        }
        if (!good || !choose_format(line, fragment) || !take_bytes(line, isa::kMaxBundleBytes))
            return;
        section().fragments.push_back(std::move(fragment));
    }

    bool choose_format(const Line& line, Fragment& fragment) {
        const std::uint32_t needed = slots(fragment);
        if (fragment.wanted) {
            const auto wanted = isa::info(*fragment.wanted);
            if ((needed & ~wanted.slots) != 0) {
                diagnostics_.error(fragment.where, "format " + std::string(wanted.name) +
                                                       " does not have all slots of this bundle");
                return false;
            }
            fragment.format = *fragment.wanted;
            return true;
        }
        const auto shortest = isa::shortest_format(needed);
        if (!shortest) {
            std::string names;
            for (const ParsedInstruction& instruction : fragment.instructions)
                names += (names.empty() ? "" : ", ") +
                         std::string(isa::name(isa::operation(instruction.instruction.op).slot));
            diagnostics_.error(line.at(line.tokens[0]).source ? fragment.where : line.where,
                               "no bundle format has the slots " + names + " together");
            return false;
        }
        fragment.format = *shortest;
        return true;
    }

    // --- directives ---

    void directive(const Line& line, std::size_t at);

    void do_section(const Line& line, std::size_t at) {
        const std::string& word = line.tokens[at].text;
        if (word != ".section") {
            switch_section(word);
            at_end(line, at + 1);
            return;
        }
        ++at;
        const Token& name = line.tokens[at];
        if (name.kind != Kind::kWord && name.kind != Kind::kString) {
            error(line, at, ".section needs a name");
            return;
        }
        std::int64_t unique = -1;
        for (std::size_t i = at; line.tokens[i].kind != Kind::kEnd; ++i)
            if (line.tokens[i].text == "unique" && line.tokens[i + 1].is(","))
                unique = line.tokens[i + 2].number;
        switch_section(name.text, unique);
        ++at;
        if (!line.tokens[at].is(",")) {
            at_end(line, at);
            return;
        }
        ++at;
        if (line.tokens[at].kind != Kind::kString) {
            error(line, at, "expected the flags of the section, in quotes");
            return;
        }
        std::uint32_t flags = 0;
        for (const char flag : line.tokens[at].text) {
            switch (flag) {
                case 'a':
                    flags |= kAllocate;
                    break;
                case 'w':
                    flags |= kWrite;
                    break;
                case 'x':
                    flags |= kExecute;
                    break;
                case 'M':
                case 'S':
                case 'G':
                case 'e':
                case 'R':
                    break;
                default:
                    error(line, at, std::string("unknown section flag '") + flag + "'");
                    return;
            }
        }
        if (section().fragments.empty()) {
            section().flags = flags;
            section().alignment = section().executable() ? 16U : 1U;
        }
        ++at;
        // The type; what follows it (entry size, group) means nothing here.
        if (line.tokens[at].is(",") && section().fragments.empty()) {
            const std::string& type = line.tokens[at + 1].text;
            if (type == "@nobits")
                section().type = kSectionNobits;
            else if (type == "@progbits" || type == "@note")
                section().type = kSectionProgbits;
            else
                error(line, at + 1, "unknown section type " + type);
        }
    }

    void do_binding(const Line& line, std::size_t at) {
        const std::string& word = line.tokens[at].text;
        do {
            ++at;
            if (line.tokens[at].kind != Kind::kWord) {
                error(line, at, "expected a symbol");
                return;
            }
            Symbol& symbol = *symbol_of(line.tokens[at].text, line.at(line.tokens[at]));
            symbol.binding = word == ".weak"    ? Binding::kWeak
                             : word == ".local" ? Binding::kLocal
                                                : Binding::kGlobal;
            ++at;
        } while (line.tokens[at].is(","));
        at_end(line, at);
    }

    void do_type(const Line& line, std::size_t at) {
        const auto& tokens = line.tokens;
        if (tokens[at + 1].kind != Kind::kWord || !tokens[at + 2].is(",")) {
            error(line, at + 1, ".type needs a symbol and @function or @object");
            return;
        }
        Symbol& symbol = *symbol_of(tokens[at + 1].text, line.at(tokens[at + 1]));
        const std::string& type = tokens[at + 3].text;
        if (type == "@function")
            symbol.type = SymbolType::kFunction;
        else if (type == "@object")
            symbol.type = SymbolType::kObject;
        else
            error(line, at + 3, "expected @function or @object");
    }

    void do_size(const Line& line, std::size_t at) {
        const auto& tokens = line.tokens;
        if (tokens[at + 1].kind != Kind::kWord || !tokens[at + 2].is(",")) {
            error(line, at + 1, ".size needs a symbol and an expression");
            return;
        }
        Symbol& symbol = *symbol_of(tokens[at + 1].text, line.at(tokens[at + 1]));
        at += 3;
        if (auto size = expression(line, at))
            symbol.size = std::move(size);
        at_end(line, at);
    }

    void do_align(const Line& line, std::size_t at) {
        const bool power = line.tokens[at].text == ".p2align";
        ++at;
        const std::size_t start = at;
        const auto value = count_at(line, at, power ? 16 : 1 << 16);
        if (!value)
            return;
        const std::uint32_t alignment = power ? 1U << *value : std::max(*value, 1U);
        if ((alignment & (alignment - 1)) != 0) {
            error(line, start, std::to_string(alignment) + " is not a power of two");
            return;
        }
        std::optional<std::uint8_t> fill;
        if (line.tokens[at].is(",")) {
            ++at;
            if (!line.tokens[at].is(",") && line.tokens[at].kind != Kind::kEnd) {
                const auto byte = number_at(line, at);
                if (!byte)
                    return;
                fill = static_cast<std::uint8_t>(*byte);
            }
            if (line.tokens[at].is(",")) {  // at most so many bytes: not kept to
                ++at;
                if (!number_at(line, at))
                    return;
            }
        }
        if (!at_end(line, at) || !take_bytes(line, alignment))
            return;
        section().alignment = std::max(section().alignment, alignment);
        Fragment& fragment = append(Fragment::Kind::kAlign, line.where);
        fragment.alignment = alignment;
        fragment.fill = fill;
    }

    void do_data(const Line& line, std::size_t at) {
        static const std::map<std::string_view, unsigned> sizes = {
            {".byte", 1}, {".short", 2}, {".half", 2},  {".hword", 2}, {".2byte", 2}, {".word", 4},
            {".long", 4}, {".int", 4},   {".4byte", 4}, {".quad", 8},  {".8byte", 8}};
        const unsigned size = sizes.at(line.tokens[at].text);
        do {
            ++at;
            auto value = expression(line, at);
            Fragment* data = value ? data_fragment(line, size) : nullptr;
            if (data == nullptr)
                return;
            data->fields.push_back(
                {static_cast<std::uint32_t>(data->data.size()), size, std::move(value)});
            data->data.resize(data->data.size() + size);
        } while (line.tokens[at].is(","));
        at_end(line, at);
    }

    void do_space(const Line& line, std::size_t at) {
        const bool fill = line.tokens[at].text == ".fill";
        ++at;
        const auto count = count_at(line, at, kMaxSectionBytes);
        std::array<std::int64_t, 2> more = {fill ? 1 : 0, 0};  // .fill: size, value; .space: value
        for (std::size_t i = 0; count && i < (fill ? 2U : 1U) && line.tokens[at].is(","); ++i) {
            ++at;
            const auto number = number_at(line, at);
            if (!number)
                return;
            more[i] = *number;
        }
        if (!count || !at_end(line, at))
            return;
        const std::int64_t unit = fill ? more[0] : 1;
        const std::int64_t value = fill ? more[1] : more[0];
        if (unit < 0 || unit > 8) {
            error(line, at, ".fill takes units of 0 to 8 bytes");
            return;
        }
        const auto bytes = static_cast<std::size_t>(*count * unit);
        if (section().type == kSectionNobits) {
            if (take_bytes(line, bytes))
                append(Fragment::Kind::kData, line.where).reserve =
                    static_cast<std::uint32_t>(bytes);
            return;
        }
        Fragment* data = data_fragment(line, bytes);
        if (data == nullptr)
            return;
        for (std::uint32_t i = 0; i < *count; ++i)
            for (std::int64_t k = 0; k < unit; ++k)
                data->data.push_back(static_cast<std::uint8_t>(value >> 8 * k));
    }

    void do_string(const Line& line, std::size_t at) {
        const bool ends = line.tokens[at].text != ".ascii";
        do {
            ++at;
            const Token& token = line.tokens[at];
            if (token.kind != Kind::kString) {
                error(line, at, "expected a string");
                return;
            }
            Fragment* data = data_fragment(line, token.text.size() + 1);
            if (data == nullptr)
                return;
            data->data.insert(data->data.end(), token.text.begin(), token.text.end());
            if (ends)
                data->data.push_back(0);
            ++at;
        } while (line.tokens[at].is(","));
        at_end(line, at);
    }

    void do_equ(const Line& line, std::size_t at) {
        if (line.tokens[at + 1].kind != Kind::kWord || !line.tokens[at + 2].is(",") ||
            line.tokens[at + 1].text == ".") {
            error(line, at + 1, line.tokens[at].text + " needs a name and an expression");
            return;
        }
        define_value(line, at + 1, at + 3);
    }

    void do_format(const Line& line, std::size_t at) {
        const auto format = isa::find_format(line.tokens[at + 1].text);
        if (!format)
            error(line, at + 1, "no bundle format is named " + line.tokens[at + 1].text);
        else if (at_end(line, at + 2))
            wanted_format_ = format;
    }

    void do_auto_align(const Line& line, std::size_t at) {
        const std::string& word = line.tokens[at + 1].text;
        if (word != "on" && word != "off")
            error(line, at + 1, ".autoalign is on or off");
        else if (at_end(line, at + 2))
            auto_align_ = word == "on";
    }

    // .pipeline NAME, rN [, most stages]: what follows up to .endpipeline is the body of a loop
    // that runs as often as rN says. NAME_interval and NAME_stages are what came of it.
    void do_pipeline(const Line& line, std::size_t at) {
        const auto& tokens = line.tokens;
        if (body_) {
            error(line, at,
                  ".pipeline inside of another, from line " + std::to_string(body_->where.line));
            return;
        }
        if (tokens[at + 1].kind != Kind::kWord || !tokens[at + 2].is(",") ||
            !isa::find_register(tokens[at + 3].text)) {
            error(line, at + 1, ".pipeline needs a name and the register that counts");
            return;
        }
        body_ = PipelineBody{};
        body_->where = line.at(tokens[at]);
        body_->name = tokens[at + 1].text;
        body_->count = tokens[at + 3].text;
        body_->section = current_;
        body_->first = section().fragments.size();
        at += 4;
        if (tokens[at].is(",")) {
            ++at;
            if (const auto most = count_at(line, at, kMaxStages))
                body_->max_stages = *most;
        }
        at_end(line, at);
    }

    // .bank pN, quarter
    void do_bank(const Line& line, std::size_t at) {
        const auto pointer = isa::find_register(line.tokens[at + 1].text);
        if (!body_ || !pointer || pointer->file != isa::RegisterFile::kP ||
            !line.tokens[at + 2].is(",")) {
            error(line, at,
                  ".bank needs a pointer and a quarter of data memory, 0 to 3, inside of "
                  ".pipeline");
            return;
        }
        at += 3;
        if (const auto quarter = count_at(line, at, 3); quarter && at_end(line, at))
            body_->banks[isa::atoms(*pointer)[0]] = *quarter;
    }

    void do_end_pipeline(const Line& line, std::size_t at) {
        if (!body_) {
            error(line, at, ".endpipeline without .pipeline");
            return;
        }
        const PipelineBody body = *std::exchange(body_, std::nullopt);
        if (diagnostics_.has_errors() || !at_end(line, at + 1))
            return;
        auto& fragments = section().fragments;
        std::vector<ParsedInstruction> instructions;
        bool plain = body.section == current_;
        for (std::size_t i = body.first; plain && i < fragments.size(); ++i) {
            plain = fragments[i].kind == Fragment::Kind::kBundle;
            for (const ParsedInstruction& parsed : fragments[i].instructions) {
                plain = plain && !isa::is_branch(parsed.instruction.op);
                instructions.push_back(parsed);
            }
        }
        if (!plain || instructions.empty()) {
            diagnostics_.error(body.where, "the body of " + body.name +
                                               " is not just instructions without branches");
            return;
        }
        if (instructions.size() > kMaxBody) {
            diagnostics_.error(body.where, "the body of " + body.name + " has more than " +
                                               std::to_string(kMaxBody) + " instructions");
            return;
        }
        Schedule schedule;
        if (options_.pipeline) {
            std::vector<isa::Instruction> bare;
            bare.reserve(instructions.size());
            for (const ParsedInstruction& parsed : instructions)
                bare.push_back(parsed.instruction);
            auto found = schedule_loop(bare, body.banks, body.max_stages, kMaxInterval);
            if (!found) {
                diagnostics_.error(body.where,
                                   "no schedule of at most " + std::to_string(body.max_stages) +
                                       " overlapping iterations was found for " + body.name);
                return;
            }
            schedule = std::move(*found);
            fragments.resize(body.first);
        }
        emit_loop(body, instructions, schedule);
    }

    struct PipelineBody {
        Location where;
        std::string name;
        std::string count;
        std::size_t section = 0;
        std::size_t first = 0;
        unsigned max_stages = kMaxStages;
        Banks banks;
    };

    // The loop's set-up, what runs before all stages do, the loop itself, and what runs after.
    void emit_loop(const PipelineBody& body, const std::vector<ParsedInstruction>& instructions,
                   const Schedule& schedule) {
        const bool overlap = options_.pipeline;
        const unsigned stages = overlap ? schedule.stages() : 1;
        const std::string first = ".L" + body.name + "_first";
        const std::string last = ".L" + body.name + "_last";
        std::vector<Fragment> in_order;
        if (!overlap) {
            auto& fragments = section().fragments;
            in_order.assign(std::make_move_iterator(fragments.begin() +
                                                    static_cast<std::ptrdiff_t>(body.first)),
                            std::make_move_iterator(fragments.end()));
            fragments.resize(body.first);
        }
        const auto source = [&](const std::string& text) {
            bool in_comment = false;
            bundle({tokenize(text, in_comment), text, body.where}, 0);
        };
        source("add.nc lc, " + body.count + ", #" + std::to_string(1 - static_cast<int>(stages)));
        source("movxm ls, #" + first);
        source("movxm le, #" + last);
        ++loops_;
        const auto label = [&](const std::string& name) {
            place_label(symbol_of(name, body.where), body.where);
        };
        // What is between the set-up and the loop's last bundle has at least kLoopSetupBytes.
        const auto pad = [&](unsigned bytes) {
            for (; bytes < kLoopSetupBytes; bytes += isa::kMaxBundleBytes) {
                Fragment& nop = append(Fragment::Kind::kBundle, body.where);
                nop.format = *isa::shortest_format(0, isa::kMaxBundleBytes);
                nop.wanted = nop.format;
            }
        };
        if (!overlap) {
            pad(0);
            label(first);
            auto& fragments = section().fragments;
            for (Fragment& fragment : in_order)
                fragments.push_back(std::move(fragment));
            // Everything has landed when the next iteration begins.
            for (unsigned i = 0; i < 16; ++i) {
                if (i == 15)
                    label(last);
                append(Fragment::Kind::kBundle, body.where).format = *isa::shortest_format(0);
            }
            return;
        }
        const auto place = [&](unsigned cycle, auto&& belongs) {
            Fragment fragment{};
            fragment.kind = Fragment::Kind::kBundle;
            fragment.where = body.where;
            fragment.auto_align = auto_align_;
            fragment.loop = loops_;
            for (std::size_t i = 0; i < instructions.size(); ++i) {
                const unsigned at = schedule.cycles[i];
                if (at % schedule.interval == cycle % schedule.interval && belongs(at)) {
                    if (fragment.instructions.empty())
                        fragment.where = instructions[i].where;
                    fragment.instructions.push_back(instructions[i]);
                }
            }
            Line line{{Token{}}, {}, body.where};
            if (choose_format(line, fragment) && take_bytes(line, isa::kMaxBundleBytes))
                section().fragments.push_back(std::move(fragment));
        };
        const unsigned filling = (stages - 1) * schedule.interval;
        pad(2 * (filling + schedule.interval - 1));  // no bundle is shorter
        for (unsigned cycle = 0; cycle < filling; ++cycle)
            place(cycle, [&](unsigned at) { return at <= cycle; });
        label(first);
        for (unsigned cycle = 0; cycle < schedule.interval; ++cycle) {
            if (cycle + 1 == schedule.interval)
                label(last);
            place(cycle, [](unsigned) { return true; });
        }
        for (unsigned cycle = schedule.interval; cycle < schedule.length; ++cycle)
            place(cycle, [&](unsigned at) { return at >= cycle; });
        define_number(body.name + "_interval", schedule.interval, body.where);
        define_number(body.name + "_stages", stages, body.where);
    }

    void define_number(const std::string& name, std::int64_t number, const Location& where) {
        auto node = std::make_shared<Expression>();
        node->number = number;
        node->where = where;
        Symbol& symbol = *symbol_of(name, where);
        symbol.kind = Symbol::Kind::kValue;
        symbol.value = node;
        symbol.where = where;
    }

    void do_insert_nops(const Line& line, std::size_t at) { insert_nops_ = at_end(line, at + 1); }

    void do_reloc(const Line& line, std::size_t at) {
        ++at;
        auto place = expression(line, at);
        if (!place)
            return;
        const isa::Relocation* relocation = nullptr;
        if (line.tokens[at].is(","))
            for (const isa::Relocation& candidate : isa::relocations())
                if (candidate.name == line.tokens[at + 1].text)
                    relocation = &candidate;
        if (relocation == nullptr || !line.tokens[at + 2].is(",")) {
            error(line, at, ".reloc needs a place, the name of a relocation and a value");
            return;
        }
        at += 3;
        auto value = expression(line, at);
        if (value && at_end(line, at))
            section().relocations.push_back({std::move(place), relocation, std::move(value)});
    }

    void do_nothing(const Line&, std::size_t) {}

    // --- after the last line ---

    /// Finds out what is jumped to, and which bundles start and end zero-overhead loops.
    void mark_targets() {
        for (UnitSection& section : unit_.sections)
            for (Fragment& fragment : section.fragments)
                for (const ParsedInstruction& instruction : fragment.instructions)
                    mark_targets(instruction);
        for (Symbol& symbol : unit_.symbols)
            if (symbol.kind == Symbol::Kind::kLabel &&
                (symbol.binding != Binding::kLocal || symbol.type == SymbolType::kFunction))
                symbol.target = true;
        for (UnitSection& section : unit_.sections) {
            bool loop_end = false;
            for (Fragment& fragment : section.fragments) {
                if (fragment.kind == Fragment::Kind::kLabel)
                    loop_end |= fragment.label->loop_end && fragment.auto_align;
                if (fragment.kind == Fragment::Kind::kBundle)
                    fragment.minimum = std::exchange(loop_end, false) ? isa::kMaxBundleBytes : 0;
            }
        }
    }

    static void mark_targets(const ParsedInstruction& parsed) {
        const isa::Operation& row = isa::operation(parsed.instruction.op);
        for (const auto& immediate : parsed.immediates) {
            Symbol* label = plain_label(*immediate.value);
            if (label == nullptr)
                continue;
            const isa::Register written = parsed.instruction.values[0].reg();
            const bool register_first =
                row.operands()[0].type().kind == isa::OperandKind::kRegister;
            const std::string_view target = register_first ? isa::name(written) : "";
            if (row.operands()[immediate.operand].type().kind == isa::OperandKind::kAddress ||
                target == "ls" || target == "le")
                label->target = true;
            if (target == "le")
                label->loop_end = true;
        }
    }

    void emit(Object& object) {
        std::unordered_map<const Symbol*, std::size_t> numbers;
        for (UnitSection& section : unit_.sections) {
            ObjectSection& out = object.sections.emplace_back();
            out.name = section.name;
            out.type = section.type;
            out.flags = section.flags;
            out.alignment = section.alignment;
            out.size = section.size;
            if (section.type != kSectionNobits)
                for (Fragment& fragment : section.fragments)
                    emit(fragment, section, out, object, numbers);
            for (const WantedRelocation& wanted : section.relocations)
                emit_relocation(wanted, object.sections.size() - 1, object, numbers);
        }
        for (Symbol& symbol : unit_.symbols) {
            const bool kept = !symbol.name.empty() && !symbol.name.starts_with(".L") &&
                              symbol.kind != Symbol::Kind::kUndefined;
            if (kept)
                number_of(symbol, object, numbers);
        }
        for (const auto& [symbol, number] : numbers)
            if (symbol->size)
                if (const auto size = evaluate_now(*symbol->size); size && size->symbol == nullptr)
                    object.symbols[number].size = static_cast<std::uint32_t>(size->addend);
        // Empty sections that nothing names are of no use to anyone.
        drop_empty(object);
    }

    static void drop_empty(Object& object) {
        std::set<std::size_t> named;
        for (const ObjectSymbol& symbol : object.symbols)
            if (symbol.section)
                named.insert(*symbol.section);
        std::vector<std::size_t> moved(object.sections.size());
        std::vector<ObjectSection> kept;
        for (std::size_t i = 0; i < object.sections.size(); ++i) {
            moved[i] = kept.size();
            if (object.sections[i].size != 0 || named.contains(i))
                kept.push_back(std::move(object.sections[i]));
        }
        object.sections = std::move(kept);
        for (ObjectSymbol& symbol : object.symbols)
            if (symbol.section)
                symbol.section = moved[*symbol.section];
    }

    std::size_t number_of(Symbol& symbol, Object& object,
                          std::unordered_map<const Symbol*, std::size_t>& numbers) {
        const auto [entry, fresh] = numbers.emplace(&symbol, object.symbols.size());
        if (!fresh)
            return entry->second;
        ObjectSymbol out;
        out.name = symbol.name.empty() ? ".Lplace" + std::to_string(numbers.size()) : symbol.name;
        out.binding = symbol.binding;
        out.type = symbol.type;
        if (symbol.kind == Symbol::Kind::kLabel) {
            out.section = symbol.section;
            out.value = symbol.offset;
        } else if (symbol.kind == Symbol::Kind::kValue) {
            const auto value = evaluate_now(*symbol.value);
            if (value && value->symbol != nullptr && value->symbol->kind == Symbol::Kind::kLabel) {
                out.section = value->symbol->section;
                out.value = static_cast<std::uint32_t>(value->symbol->offset + value->addend);
            } else if (value) {
                out.absolute = value->symbol == nullptr;
                out.value = static_cast<std::uint32_t>(value->addend);
            }
        } else if (out.binding == Binding::kLocal) {
            out.binding = Binding::kGlobal;
        }
        object.symbols.push_back(std::move(out));
        return entry->second;
    }

    void emit(Fragment& fragment, UnitSection& section, ObjectSection& out, Object& object,
              std::unordered_map<const Symbol*, std::size_t>& numbers) {
        pad(fragment, section, out);
        if (fragment.kind == Fragment::Kind::kBundle) {
            emit_bundle(fragment, out, object, numbers);
        } else if (fragment.kind == Fragment::Kind::kData) {
            const std::size_t start = out.bytes.size();
            out.bytes.insert(out.bytes.end(), fragment.data.begin(), fragment.data.end());
            for (const DataField& field : fragment.fields)
                emit_field(field, start, out, object, numbers);
        }
    }

    static void pad(const Fragment& fragment, const UnitSection& section, ObjectSection& out) {
        std::uint32_t left = fragment.padding;
        if (section.executable() && !fragment.fill) {
            if (out.bytes.size() % 2 != 0 && left > 0) {
                out.bytes.push_back(0);
                --left;
            }
            while (left >= 2) {
                const std::uint32_t size =
                    std::min<std::uint32_t>(left, isa::kMaxBundleBytes) & ~1U;
                const auto nops = isa::encode(isa::make_bundle({}, *isa::shortest_format(0, size)));
                out.bytes.insert(out.bytes.end(), nops.bytes().begin(), nops.bytes().end());
                left -= nops.size;
            }
        }
        out.bytes.resize(out.bytes.size() + left, fragment.fill.value_or(0));
    }

    void emit_bundle(Fragment& fragment, ObjectSection& out, Object& object,
                     std::unordered_map<const Symbol*, std::size_t>& numbers) {
        std::vector<isa::Instruction> instructions;
        for (ParsedInstruction& parsed : fragment.instructions) {
            const isa::Operation& row = isa::operation(parsed.instruction.op);
            for (const auto& immediate : parsed.immediates) {
                const auto value = evaluate_now(*immediate.value);
                if (!value)
                    return;
                const isa::OperandClass& type = row.operands()[immediate.operand].type();
                if (value->symbol == nullptr) {
                    const std::string problem = why_not(type, value->addend);
                    if (!problem.empty()) {
                        diagnostics_.error(immediate.value->where, problem);
                        return;
                    }
                    parsed.instruction.values[immediate.operand] = immediate_value(value->addend);
                    continue;
                }
                const isa::Relocation* relocation =
                    isa::relocation_for(fragment.format, parsed.instruction.op, immediate.operand);
                if (relocation == nullptr) {
                    diagnostics_.error(immediate.value->where, "an address cannot stand here: " +
                                                                   std::string(row.mnemonic) +
                                                                   " has no relocation for it");
                    return;
                }
                out.fixups.push_back({static_cast<std::uint32_t>(out.bytes.size()), relocation,
                                      number_of(*value->symbol, object, numbers), value->addend});
            }
            // "nop" stands for whatever slot the format has.
            const isa::Slot slot = row.slot;
            if (slot != isa::Slot::kNop || (isa::info(fragment.format).slots & bit(slot)) != 0)
                instructions.push_back(parsed.instruction);
        }
        const auto bytes = isa::encode(isa::make_bundle(instructions, fragment.format));
        out.bytes.insert(out.bytes.end(), bytes.bytes().begin(), bytes.bytes().end());
    }

    void emit_relocation(const WantedRelocation& wanted, std::size_t section, Object& object,
                         std::unordered_map<const Symbol*, std::size_t>& numbers) {
        const auto place = evaluate_now(*wanted.place);
        const auto value = evaluate_now(*wanted.value);
        if (!place || !value)
            return;
        ObjectSection& out = object.sections[section];
        const bool here = place->symbol != nullptr && place->symbol->kind == Symbol::Kind::kLabel &&
                          place->symbol->section == section;
        const std::int64_t offset = here ? place->symbol->offset + place->addend : -1;
        if (offset < 0 ||
            offset + wanted.relocation->size > static_cast<std::int64_t>(out.bytes.size())) {
            diagnostics_.error(wanted.place->where, "the relocation is not inside this section");
        } else if (value->symbol == nullptr) {
            diagnostics_.error(wanted.value->where, "a relocation needs a symbol");
        } else {
            out.fixups.push_back({static_cast<std::uint32_t>(offset), wanted.relocation,
                                  number_of(*value->symbol, object, numbers), value->addend});
        }
    }

    void emit_field(const DataField& field, std::size_t start, ObjectSection& out, Object& object,
                    std::unordered_map<const Symbol*, std::size_t>& numbers) {
        const auto value = evaluate_now(*field.value);
        if (!value)
            return;
        const std::size_t at = start + field.offset;
        if (value->symbol != nullptr) {
            // llvm-aie relocates words of data with the 20-bit R_AIE_50.
            constexpr unsigned kDataWord = 50;
            if (field.size != 4) {
                diagnostics_.error(field.value->where, "an address needs a .word");
                return;
            }
            out.fixups.push_back({static_cast<std::uint32_t>(at), isa::find_relocation(kDataWord),
                                  number_of(*value->symbol, object, numbers), value->addend});
            return;
        }
        const std::int64_t limit = std::int64_t{1} << (field.size * 8 - 1) % 63;
        if (field.size < 8 && (value->addend < -limit || value->addend >= 2 * limit)) {
            diagnostics_.error(field.value->where, std::to_string(value->addend) +
                                                       " does not fit in " +
                                                       std::to_string(field.size) + " bytes");
            return;
        }
        for (unsigned i = 0; i < field.size; ++i)
            out.bytes[at + i] = static_cast<std::uint8_t>(value->addend >> 8 * i);
    }

    const Options& options_;
    Diagnostics& diagnostics_;
    Unit unit_;
    std::unordered_map<std::string, Symbol*> names_;
    std::size_t current_ = 0;
    std::size_t bytes_ = 0;
    unsigned depth_ = 0;
    unsigned resolved_ = 0;
    std::optional<isa::Format> wanted_format_;
    std::optional<PipelineBody> body_;  ///< of the .pipeline that is open
    unsigned loops_ = 0;                ///< pipelined so far
    bool insert_nops_ = false;
    bool auto_align_ = options_.auto_align;
};

void Assembler::directive(const Line& line, std::size_t at) {
    static const std::unordered_map<std::string_view, Handler> directives = [] {
        std::unordered_map<std::string_view, Handler> table;
        const auto add = [&](Handler handler, std::initializer_list<std::string_view> words) {
            for (const std::string_view word : words)
                table[word] = handler;
        };
        add(&Assembler::do_section, {".section", ".text", ".data", ".bss", ".rodata"});
        add(&Assembler::do_binding, {".globl", ".global", ".local", ".weak"});
        add(&Assembler::do_type, {".type"});
        add(&Assembler::do_size, {".size"});
        add(&Assembler::do_align, {".align", ".balign", ".p2align"});
        add(&Assembler::do_data, {".byte", ".short", ".half", ".hword", ".2byte", ".word", ".long",
                                  ".int", ".4byte", ".quad", ".8byte"});
        add(&Assembler::do_space, {".space", ".skip", ".zero", ".fill"});
        add(&Assembler::do_string, {".ascii", ".asciz", ".string"});
        add(&Assembler::do_equ, {".equ", ".set", ".equiv"});
        add(&Assembler::do_reloc, {".reloc"});
        add(&Assembler::do_format, {".format"});
        add(&Assembler::do_insert_nops, {".insert_nops"});
        add(&Assembler::do_pipeline, {".pipeline"});
        add(&Assembler::do_bank, {".bank"});
        add(&Assembler::do_end_pipeline, {".endpipeline"});
        add(&Assembler::do_auto_align, {".autoalign"});
        // What compilers write beside the code, and nothing here needs.
        add(&Assembler::do_nothing, {".file", ".ident", ".addrsig", ".addrsig_sym"});
        return table;
    }();
    const auto found = directives.find(line.tokens[at].text);
    if (found == directives.end())
        error(line, at, "unknown directive " + line.tokens[at].text);
    else
        (this->*found->second)(line, at);
}

}  // namespace

Symbol* plain_label(const Expression& expression) {
    if (expression.kind != Expression::Kind::kSymbol)
        return nullptr;
    Symbol* symbol = expression.symbol;
    return symbol->kind == Symbol::Kind::kLabel ? symbol : nullptr;
}

std::uint32_t slots(const Fragment& bundle) {
    std::uint32_t set = 0;
    for (const ParsedInstruction& parsed : bundle.instructions)
        set |= isa::bit(isa::operation(parsed.instruction.op).slot);
    const std::uint32_t nop = isa::bit(isa::Slot::kNop);
    return set == (nop | isa::bit(isa::Slot::kLng)) ? set : set & ~nop;
}

std::optional<Object> assemble(const std::string& name, std::string_view source,
                               const Options& options, Diagnostics& diagnostics) {
    return Assembler(options, diagnostics).run(name, source);
}

}  // namespace xdna::as

// The table itself: complete, as the outside list has it, and without ambiguity.

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/isa/bundle.hpp"
#include "kernels/isa/relocation.hpp"
#include "kernels/isa/tables.hpp"
#include "tests/support/data.hpp"

namespace xdna::isa {
namespace {

TEST(Table, HoldsEveryOperationOfEverySlot) {
    const std::map<Slot, std::size_t> counts = {
        {Slot::kAlu, 46}, {Slot::kLda, 132}, {Slot::kLdb, 58}, {Slot::kLng, 6},
        {Slot::kMv, 145}, {Slot::kSt, 157},  {Slot::kVec, 62}, {Slot::kNop, 1}};
    for (const auto& [slot, count] : counts)
        EXPECT_EQ(operations(slot).size(), count) << name(slot);
    EXPECT_EQ(operations().size(), 607U);
    EXPECT_EQ(kFormatCount, 78U);
    EXPECT_EQ(relocations().size(), 54U);
}

std::string pattern_of(const Operation& row) {
    std::string pattern;
    for (unsigned i = width(row.slot); i-- > 0;) {
        const auto one = std::uint64_t{1} << i;
        char c = '-';
        for (const Operand& operand : row.operands())
            if ((operand.field & one) != 0)
                c = '#';
        if ((row.mask & one) != 0)
            c = (row.bits & one) != 0 ? '1' : '0';
        pattern += c;
    }
    return pattern;
}

TEST(Table, AgreesWithTheOutsideListOfOperations) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    std::map<std::string, std::pair<std::string, std::string>> outside;
    for (const auto& row : test::read_table(*shared / "isa/encodings.tsv")) {
        std::string pattern = row[4];
        for (char& c : pattern)
            if (c >= 'a' && c <= 'z')
                c = '#';
        outside[row[2]] = {row[0], pattern};
    }
    ASSERT_EQ(outside.size(), operations().size());
    for (const Operation& row : operations()) {
        const auto found = outside.find(std::string(row.name));
        ASSERT_NE(found, outside.end()) << row.name;
        EXPECT_EQ(found->second.first, name(row.slot)) << row.name;
        EXPECT_EQ(found->second.second, pattern_of(row)) << row.name;
    }
}

TEST(Table, AgreesWithTheOutsideListOfFormats) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    std::size_t count = 0;
    for (const auto& row : test::read_table(*shared / "isa/formats.tsv")) {
        const auto format = find_format(row[1]);
        ASSERT_TRUE(format) << row[1];
        EXPECT_EQ(info(*format).size * 8, std::stoul(row[0]));
        std::istringstream slots(row[4]);
        std::size_t slot_count = 0;
        for (std::string text; slots >> text; ++slot_count) {
            const auto at = text.find('@');
            const auto slot = [&] {
                for (std::size_t s = 0; s < kSlotCount; ++s)
                    if (name(static_cast<Slot>(s)) == text.substr(0, at))
                        return static_cast<Slot>(s);
                throw std::runtime_error(text);
            }();
            EXPECT_EQ(slot_offset(*format, slot), std::stoul(text.substr(at + 1))) << row[1];
        }
        EXPECT_EQ(std::popcount(info(*format).slots), static_cast<int>(slot_count)) << row[1];
        ++count;
    }
    EXPECT_EQ(count, kFormatCount);
}

TEST(Table, AgreesWithTheOutsideRegisterClasses) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    const auto bytes = test::read_file(*shared / "isa/register_classes.json");
    const auto outside = nlohmann::json::parse(bytes);
    std::set<std::string> compared;
    for (const Operation& row : operations()) {
        for (const Operand& operand : row.operands()) {
            const OperandClass& type = operand.type();
            const std::string class_name(type.name);
            if (!outside.contains(class_name) || !compared.insert(class_name).second)
                continue;
            const auto& list = outside[class_name];
            for (std::uint64_t code = 0; code < std::uint64_t{1} << type.bits; ++code) {
                const auto value = decode(type, code);
                const bool expected = code < list.size() && !list[code].is_null();
                ASSERT_EQ(value.has_value(), expected) << class_name << ' ' << code;
                if (!expected)
                    continue;
                auto text = list[code].get<std::string>();
                if (text.ends_with("_3d"))
                    text.resize(text.size() - 3);
                EXPECT_EQ(name(value->reg()), text) << class_name << ' ' << code;
            }
        }
    }
    // mBMSm stands in the list only as part of mShflDst.
    EXPECT_EQ(compared.size(), outside.size() - 1);
}

TEST(Table, FormatsDoNotOverlap) {
    const auto formats = tables::formats();
    for (const auto& a : formats) {
        for (const auto& b : formats) {
            if (&a == &b || a.size != b.size)
                continue;
            bool apart = false;
            for (unsigned half = 0; half < 2; ++half)
                apart |= ((a.bits[half] ^ b.bits[half]) & a.mask[half] & b.mask[half]) != 0;
            EXPECT_TRUE(apart) << a.name << ' ' << b.name;
        }
    }
}

std::uint64_t code_of(std::uint64_t word, std::uint64_t field) {
    std::uint64_t code = 0;
    unsigned filled = 0;
    for (unsigned i = 0; i < 64; ++i)
        if ((field >> i & 1U) != 0)
            code |= (word >> i & 1U) << filled++;
    return code;
}

/// Is this code of the class one that the decoder accepts, or that the encoder writes?
bool is_legal(const OperandClass& type, std::uint64_t code, bool written) {
    const auto value = decode(type, code);
    return value && (!written || encode(type, *value) == code);
}

/// Is there a word of both rows, with codes that the decoder accepts or that the encoder writes?
bool overlap(const Operation& a, const Operation& b, bool written) {
    if (((a.bits ^ b.bits) & a.mask & b.mask) != 0)
        return false;
    // Only register classes with unused codes restrict the word; try all bits of those.
    std::vector<const Operand*> restricting;
    std::uint64_t restricted = 0;
    std::uint64_t known = 0;
    for (const Operation* row : {&a, &b}) {
        std::uint64_t covered = row->mask;
        for (const Operand& operand : row->operands()) {
            const OperandClass& type = operand.type();
            covered |= operand.field;
            bool full = true;
            if (type.kind == OperandKind::kRegister)
                for (std::uint64_t code = 0; code < std::uint64_t{1} << type.bits; ++code)
                    full = full && is_legal(type, code, written);
            if (full)
                continue;
            restricting.push_back(&operand);
            restricted |= operand.field;
        }
        // The encoder writes ignored bits as zero.
        const std::uint64_t ignored = ((std::uint64_t{1} << width(row->slot)) - 1) & ~covered;
        if (written && ((a.bits | b.bits) & ignored) != 0)
            return false;
        known |= row->mask | (written ? ignored : 0);
    }
    const std::uint64_t free = restricted & ~known;
    std::uint64_t choice = 0;
    do {
        const std::uint64_t word = a.bits | b.bits | choice;
        bool legal = true;
        for (const Operand* operand : restricting)
            legal = legal && is_legal(operand->type(), code_of(word, operand->field), written);
        if (legal)
            return true;
        choice = (choice - free) & free;  // the next subset of the free bits
    } while (choice != 0);
    return false;
}

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

Pairs overlaps(bool written) {
    Pairs pairs;
    for (std::size_t s = 0; s < kSlotCount; ++s) {
        const auto rows = operations(static_cast<Slot>(s));
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::size_t k = i + 1; k < rows.size(); ++k)
                if (overlap(rows[i], rows[k], written))
                    pairs.emplace_back(rows[i].name, rows[k].name);
    }
    return pairs;
}

TEST(Table, NoTwoOperationsShareAWordThatTheEncoderWrites) {
    EXPECT_EQ(overlaps(true), Pairs{});
}

TEST(Table, OperationsShareWordsThatTheDecoderAcceptsOnlyWhereListed) {
    // vmov MCD, x with an ignored bit set is vpack.d4.d8 wh0, x.
    EXPECT_EQ(overlaps(false), (Pairs{{"VPACK_D4_D8", "VMOV_mv_mcd"}}));
}

TEST(Table, EveryRelocationPatchesAnOperand) {
    std::set<unsigned> found;
    for (std::size_t f = 0; f < kFormatCount; ++f)
        for (std::size_t op = 0; op < kOpCount; ++op)
            for (unsigned i = 0; i < operation(static_cast<Op>(op)).operand_count; ++i)
                if (const auto* relocation =
                        relocation_for(static_cast<Format>(f), static_cast<Op>(op), i))
                    found.insert(relocation->type);
    for (const Relocation& relocation : relocations())
        EXPECT_TRUE(relocation.data || found.contains(relocation.type)) << relocation.name;
}

TEST(Table, OverlappingRegistersShareAtoms) {
    const auto atom_names = [](std::string_view text) {
        std::string result;
        for (const Atom atom : atoms(*find_register(text)))
            result +=
                std::string(result.empty() ? "" : " ") + std::string(name(register_of_atom(atom)));
        return result;
    };
    EXPECT_EQ(atom_names("r7"), "r7");
    EXPECT_EQ(atom_names("l3"), "r22 r23");
    EXPECT_EQ(atom_names("x5"), "wl5 wh5");
    EXPECT_EQ(atom_names("y2"), "wl4 wh4 wl5 wh5");
    EXPECT_EQ(atom_names("bmh3"), "amhl3 amhh3");
    EXPECT_EQ(atom_names("cm8"), "amll8 amlh8 amhl8 amhh8");
    EXPECT_EQ(atom_names("d2"), "m2 dn2 dj2 dc2");
    EXPECT_EQ(atom_names("qx1"), "wl1 wh1 ql1 qh1");
    EXPECT_EQ(atom_names("qwh2"), "wh2 qh2");
    EXPECT_EQ(atom_names("q3"), "ql3 qh3");
}

}  // namespace
}  // namespace xdna::isa

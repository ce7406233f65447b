// Every published vector of the vector unit, through real instructions: load, operate, store.
#include <sstream>

#include "tests/support/data.hpp"
#include "tests/unit/core/machine.hpp"

namespace xdna::emu::test {
namespace {

struct Vector {
    std::string name, evidence, unit;
    std::map<std::string, int> config;
    std::vector<int64_t> a, b, out;
};

std::vector<int64_t> numbers(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<int64_t>(in), {}};
}

// The rows of a table of tests/data/silicon, without its comments.
std::vector<std::vector<std::string>> rows(const char* name) {
    auto all = xdna::test::read_table(xdna::test::root() / "tests/data/silicon" / name);
    std::erase_if(all, [](const auto& row) { return row.empty() || row[0].starts_with('#'); });
    return all;
}

std::vector<Vector> vectors() {
    std::vector<Vector> all;
    for (const auto& column : rows("vectors.tsv")) {
        Vector v{column[0],          column[1],          column[2],         {},
                 numbers(column[4]), numbers(column[5]), numbers(column[6])};
        std::istringstream config(column[3]);
        for (std::string item; config >> item;) {
            const size_t equals = item.find('=');
            v.config[item.substr(0, equals)] = std::stoi(item.substr(equals + 1));
        }
        all.push_back(std::move(v));
    }
    return all;
}

template <typename T>
std::vector<T> as_type(const std::vector<int64_t>& values) {
    std::vector<T> out;
    for (const int64_t value : values) {
        out.push_back(static_cast<T>(value));
    }
    return out;
}

// What one unit does: how many inputs make a step, of which types, and the code that takes them
// from p0 (and p1) and leaves the outputs at p2.
struct Unit {
    const char* name;  // a vector's name starts with it
    size_t a_count, a_size, b_count, b_size, out_count, out_size;
    const char* code;
};

// Control registers come from r0 (rounding), r1 (saturation), r2 (shift).
constexpr Unit kUnits[] = {
    {"vec_srs_", 16, 4, 0, 0, 16, 2,
     "vlda wl0, [p0, #0]\nvlda wh0, [p0, #32]\nmova r4, #0\nmov s1, r4\nvups.s64.s32 cm0, x0, s1\n"
     "vsrs.s16.s64 wl2, cm0, s0\nvst wl2, [p2, #0]\n"},
    {"vec_ups_", 16, 2, 0, 0, 16, 4,
     "vlda wl0, [p0, #0]\nmova r4, #1\nmovx crUPSSign, r4\nvups.s32.d16 bml0, wl0, s0\n"
     "vst amll0, [p2, #0]\nvst amlh0, [p2, #32]\n"},
    {"vec_pack_", 32, 2, 0, 0, 32, 1,
     "vlda wl0, [p0, #0]\nvlda wh0, [p0, #32]\nmova r4, #1\nmovx crPackSign, r4\n"
     "vpack.d8.d16 wl2, x0\nvst wl2, [p2, #0]\n"},
    {"vec_conv_", 16, 4, 0, 0, 16, 2,
     "vlda amll0, [p0, #0]\nvlda amlh0, [p0, #32]\nvconv.bf16.fp32 wl2, bml0\nvst wl2, [p2, #0]\n"},
    {"vec_convexp_", 16, 2, 0, 0, 16, 4,
     "vlda wl0, [p0, #0]\nvconv.fp32.bf16 bml0, wl0\nvst amll0, [p2, #0]\nvst amlh0, [p2, #32]\n"},
    {"vec_vfloor_", 16, 2, 0, 0, 16, 4,
     "vlda wl0, [p0, #0]\nvfloor.s32.bf16 x2, wl0, s0\nvst wl2, [p2, #0]\nvst wh2, [p2, #32]\n"},
    {"vec_mac_i8", 32, 1, 64, 1, 32, 4,
     "vlda wl0, [p0, #0]\nvlda wl1, [p1, #0]\nvlda wh1, [p1, #32]\nmovx r4, #776\n"
     "vmul cm0, x0, x1, r4\nvst amll0, [p2, #0]\nvst amlh0, [p2, #32]\nvst amhl0, [p2, #64]\n"
     "vst amhh0, [p2, #96]\n"},
    {"vec_mac_i16", 8, 2, 16, 2, 32, 4,
     "vlda wl0, [p0, #0]\nvlda wl1, [p1, #0]\nmovx r4, #792\n"
     "vmul cm0, x0, x1, r4\nvst amll0, [p2, #0]\nvst amlh0, [p2, #32]\nvst amhl0, [p2, #64]\n"
     "vst amhh0, [p2, #96]\n"},
    {"vec_mac_bf16", 32, 2, 32, 2, 16, 4,
     "vlda wl0, [p0, #0]\nvlda wh0, [p0, #32]\nvlda wl1, [p1, #0]\nvlda wh1, [p1, #32]\n"
     "movx r4, #28\nvmul.f bml0, x0, x1, r4\nvst amll0, [p2, #0]\nvst amlh0, [p2, #32]\n"},
};

const Unit* unit_of(const std::string& name) {
    for (const Unit& unit : kUnits) {
        if (name.starts_with(unit.name)) {
            return &unit;
        }
    }
    return nullptr;
}

void put_values(Machine& machine, uint32_t offset, std::span<const int64_t> values, size_t size) {
    for (size_t i = 0; i < values.size(); ++i) {
        std::memcpy(&machine.memory[offset + i * size], &values[i], size);
    }
}

uint64_t low_bits(int64_t value, size_t size) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, size);
    return bits;
}

TEST(Silicon, EveryVectorBitForBit) {
    std::map<std::string, std::pair<int, int>> counts;  // unit: lanes, of them captured
    for (const Vector& v : vectors()) {
        const Unit* unit = unit_of(v.name);
        ASSERT_NE(unit, nullptr) << v.name;
        const auto setting = [&](const char* name, int otherwise) {
            const auto found = v.config.find(name);
            return found == v.config.end() ? otherwise : found->second;
        };
        const auto code = assemble(
            "movxm p0, #0x70000\nmovxm p1, #0x71000\nmovxm p2, #0x72000\n"
            "mova r0, #" +
            std::to_string(setting("rounding", 0)) +
            "\nmovx crRnd, r0\n"
            "mova r1, #" +
            std::to_string(setting("saturation", 0)) +
            "\nmovx crSat, r1\n"
            "mova r2, #" +
            std::to_string(setting("shift", 0)) + "\nmov s0, r2\n" + unit->code + "done\n");
        ASSERT_EQ(v.out.size() % unit->out_count, 0U) << v.name;
        for (size_t step = 0; step < v.out.size() / unit->out_count; ++step) {
            Machine machine;
            machine.load(code);
            const std::span a(&v.a[step * unit->a_count], unit->a_count);
            put_values(machine, 0, a, unit->a_size);
            std::span<const int64_t> b;
            if (unit->b_count) {
                b = {&v.b[step * unit->b_count], unit->b_count};
                put_values(machine, 0x1000, b, unit->b_size);
            }
            machine.finish();
            for (size_t i = 0; i < unit->out_count; ++i) {
                int64_t got = 0;
                std::memcpy(&got, &machine.memory[0x2000 + i * unit->out_size], unit->out_size);
                const int64_t expected = v.out[step * unit->out_count + i];
                const bool equal =
                    low_bits(got, unit->out_size) == low_bits(expected, unit->out_size);
                EXPECT_TRUE(equal) << v.name << " step " << step << " lane " << i << std::hex
                                   << ": got 0x" << low_bits(got, unit->out_size)
                                   << ", silicon has 0x" << low_bits(expected, unit->out_size);
                auto& count = counts[v.unit];
                ++count.first;
                count.second += v.evidence == "A";
            }
        }
    }
    for (const auto& [name, count] : counts) {
        std::cout << "  " << name << ": " << count.first << " lanes, of them " << count.second
                  << " captured on silicon\n";
    }
}

TEST(Silicon, EveryShuffleMode) {
    int modes = 0;
    for (const auto& column : rows("vshuffle.tsv")) {
        Machine machine;
        for (size_t i = 0; i < 128; ++i) {
            machine.memory[i] = static_cast<std::byte>(i);
        }
        machine.load(
            "movxm p0, #0x70000\nmova r0, #" + column[0] +
            "\nvlda wl0, [p0, #0]\nvlda wh0, [p0, #32]\nvlda wl1, [p0, #64]\nvlda wh1, [p0, #96]\n"
            "vshuffle x2, x0, x1, r0\nmovxm p2, #0x72000\nvst wl2, [p2, #0]\nvst wh2, [p2, "
            "#32]\ndone\n");
        machine.finish();
        const auto expected = as_type<uint8_t>(numbers(column[2]));
        EXPECT_EQ(machine.get<uint8_t>(0x2000, 64), expected) << column[1];
        ++modes;
    }
    EXPECT_EQ(modes, 48);
}

}  // namespace
}  // namespace xdna::emu::test

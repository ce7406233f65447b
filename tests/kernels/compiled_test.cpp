// Designs that AMD's compilers built, whole: PDI, core programs and control code as they stand in
// the history of two public repositories. They are not ours to keep: XDNA_CLONES names a folder
// with clones of them, and a case skips without its clone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/control_elf.hpp"
#include "libxdna/image/dpu_sequence.hpp"
#include "libxdna/image/transaction.hpp"
#include "libxdna/image/xclbin.hpp"
#include "tests/kernels/session.hpp"

namespace xdna::test {
namespace {

// A file of one commit.
class Clone {
  public:
    Clone(const std::string& name, std::string commit) : commit_(std::move(commit)) {
        const char* const clones = std::getenv("XDNA_CLONES");
        folder_ = std::string(clones == nullptr ? "" : clones) + "/" + name;
        present_ = clones != nullptr && std::filesystem::exists(folder_);
    }

    bool present() const { return present_; }

    Bytes operator()(const std::string& path) const {
        const std::string command = "git -C '" + folder_ + "' show '" + commit_ + ":" + path + "'";
        FILE* const pipe = ::popen(command.c_str(), "r");
        Bytes bytes;
        std::array<uint8_t, 4096> part{};
        while (const size_t size = std::fread(part.data(), 1, part.size(), pipe)) {
            bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(size));
        }
        EXPECT_EQ(::pclose(pipe), 0) << command;
        return bytes;
    }

  private:
    std::string folder_;
    std::string commit_;
    bool present_;
};

// A text of hexadecimal words.
std::vector<uint32_t> words_of(const Bytes& text) {
    std::vector<uint32_t> words;
    const std::string copy(text.begin(), text.end());
    for (size_t at = 0; (at = copy.find_first_not_of(" \r\n", at)) != std::string::npos;) {
        const size_t end = std::min(copy.find_first_of(" \r\n", at), copy.size());
        words.push_back(static_cast<uint32_t>(std::stoul(copy.substr(at, end - at), nullptr, 16)));
        at = end;
    }
    return words;
}

// The older words of a kernel's runtime sequence as today's control code. A shim BD comes whole,
// its number in bits 3:0 and its argument in bits 7:4. Source: Xilinx/aiebu,
// specification/aie2/isa-spec.yaml.
Bytes control_code(const image::DpuSequence& sequence) {
    enum : uint8_t { kWrite32 = 2, kSync = 3, kWriteShimBd = 6 };
    image::Transaction code;
    auto& operations = code.operations;
    for (const image::DpuInstruction& in : sequence.instructions) {
        switch (in.opcode()) {
            case kWriteShimBd: {
                const uint32_t bd = 0x1D000 + (in.low() & 0xFU) * 0x20;
                operations.emplace_back(image::txn::BlockWrite{
                    bd, image::Words(in.operands.begin() + 1, in.operands.end())});
                operations.emplace_back(image::txn::DdrPatch{bd + 4, in.low() / 16U, 0, false});
                break;
            }
            case kWrite32:
                operations.emplace_back(image::txn::Write{in.operands[0], in.operands[1]});
                break;
            case kSync: {
                const uint32_t word = in.operands[0];
                image::txn::Sync sync;
                sync.direction = in.low();
                sync.channel = static_cast<uint8_t>(word >> 24U);
                operations.emplace_back(sync);
                break;
            }
            default:
                ADD_FAILURE() << image::dpu_opcode_name(in.opcode()) << " in the sequence";
        }
    }
    return image::serialize(code);
}

// The PDI and what an xclbin says of it, and a context for it.
Session session_of(const Bytes& file) {
    const image::Xclbin xclbin = image::parse_xclbin(file);
    const auto partition =
        image::parse_aie_partition(xclbin.section(image::SectionKind::kAiePartition)->data);
    return {partition.columns, partition.pdis.at(0).image};
}

TEST(Compiled, AddOneByIree) {
    const Clone clone("iree-amd-aie", "7a351b8c");
    if (!clone.present()) {
        GTEST_SKIP() << "no clone of nod-ai/iree-amd-aie: XDNA_CLONES";
    }
    const std::string folder = "runtime/src/iree-amd-aie/aie_runtime/test/add_one_test/";
    Session session(1, clone(folder + "add_one.pdi"));
    const Bytes code = bytes_of(words_of(clone(folder + "add_one_insts.txt")));
    for (uint32_t run = 0; run < 3; ++run) {
        std::vector<uint32_t> in(1024);
        std::iota(in.begin(), in.end(), 0xFEEDED1E * run);
        std::vector<uint32_t> expected = in;
        for (uint32_t& word : expected) {
            ++word;
        }
        std::vector<Bytes> buffers = {bytes_of(in), Bytes(in.size() * 4)};
        session.run(code, buffers);
        EXPECT_EQ(buffers[1], bytes_of(expected));
    }
}

TEST(Compiled, MatmulOfFourCoresByIree) {
    const Clone clone("iree-amd-aie", "678942dd");
    if (!clone.present()) {
        GTEST_SKIP() << "no clone of nod-ai/iree-amd-aie: XDNA_CLONES";
    }
    constexpr uint32_t kN = 64;
    const std::string name = "module_matmul_dispatch_0_amdaie_xclbin_fb",
                      folder = "build_tools/ci/print_ir_aie2xclbin/results_dir_tmp/" + name + "/";
    Session session = session_of(clone(folder + name + ".xclbin"));
    const std::vector<uint32_t> words = words_of(clone(folder + name + ".ipu.txt"));
    // The first word counts those of the prologue that it belongs to.
    const auto sequence =
        image::parse_dpu_sequence(bytes_of({words.begin() + words.at(0), words.end()}));
    std::mt19937 random(1);
    std::vector<uint32_t> a(kN * kN), b(kN * kN), expected(kN * kN);
    for (uint32_t run = 0; run < 2; ++run) {
        std::generate(a.begin(), a.end(), std::ref(random));
        std::generate(b.begin(), b.end(), std::ref(random));
        std::fill(expected.begin(), expected.end(), 0);
        for (uint32_t i = 0; i < kN * kN * kN; ++i) {
            expected[i / kN / kN * kN + i % kN] +=
                a[i / kN / kN * kN + i / kN % kN] * b[i / kN % kN * kN + i % kN];
        }
        std::vector<Bytes> buffers = {bytes_of(a), bytes_of(b), Bytes(expected.size() * 4)};
        session.run(control_code(sequence), buffers);
        EXPECT_EQ(buffers[2], bytes_of(expected));
    }
}

// The core broadcasts one of sixteen words, by a vector instruction, and ends.
TEST(Compiled, BroadcastOfALaneByMlirAie) {
    const Clone clone("xdna-emu", "0b68c14a");
    if (!clone.present()) {
        GTEST_SKIP() << "no clone of FIM43-Redeye/xdna-emu: XDNA_CLONES";
    }
    for (const uint32_t lane : {0U, 5U, 15U}) {
        Session session = session_of(clone("aie.xclbin"));
        std::vector<uint32_t> in(17);
        std::iota(in.begin(), in.end(), 0xC0FFEE00);
        in[16] = lane;
        std::vector<Bytes> buffers = {bytes_of(in), Bytes(17 * 4), Bytes(16 * 4)};
        session.run(clone("insts.bin"), buffers);
        EXPECT_EQ(buffers[2], bytes_of(std::vector<uint32_t>(16, in[lane])));
    }
}

// xrt-smi's measure of a Phoenix's shim DMAs: every column copies a quarter of a gigabyte over both
// channels, from host memory to host memory.
TEST(Compiled, DataFlowBandwidthByAmd) {
    const Clone clone("xdna-driver", "e7192a94");
    if (!clone.present()) {
        GTEST_SKIP() << "no clone of amd/xdna-driver: XDNA_CLONES";
    }
    constexpr size_t kBytes = size_t{1} << 30;
    const std::string folder = "tools/bins/Runner/df_bandwidth/phx/";
    Session session = session_of(clone(folder + "validate.xclbin"));
    const image::ControlElf elf = image::parse_control_elf(clone(folder + "df_bw.elf"));
    const image::ElfSection* const code = elf.section(".ctrltext");
    ASSERT_NE(code, nullptr);
    std::vector<uint32_t> in(kBytes / 4);
    std::iota(in.begin(), in.end(), 1);
    std::vector<Bytes> buffers = {bytes_of(in), Bytes(4), Bytes(kBytes)};
    session.run(code->data, buffers);
    EXPECT_TRUE(buffers[2] == buffers[0]);
}

}  // namespace
}  // namespace xdna::test

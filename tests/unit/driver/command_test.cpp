// Commands, from EXEC_CMD to the state in the packet.
#include <algorithm>
#include <thread>

#include "kernels/flow/design.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/registers.hpp"
#include "libxdna/image/transaction.hpp"
#include "tests/support/assemble.hpp"
#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

using image::Transaction;

constexpr uint32_t kNew = 1;
constexpr uint32_t kCompleted = 4;
constexpr uint32_t kError = 5;
constexpr uint32_t kAbort = 6;
constexpr uint32_t kTimeout = 8;

constexpr uint32_t header(uint32_t opcode, uint32_t count) {
    return opcode << 23 | count << 12 | 1;
}

/// The array's loop: shim MM2S 0 to the memory tile's switch and back to shim S2MM 0 (port numbers:
/// notes/array.md 5), and the shim's tokens to the controller.
image::Cdo turn_around() {
    image::Cdo cdo;
    const auto write = [&](uint32_t row, uint32_t offset, uint32_t value) {
        const uint64_t address = image::TileAddress{0, row, offset}.encode();
        cdo.commands.push_back({image::cdo::Write{address, value}});
    };
    const auto connect = [&](uint32_t row, uint32_t base, uint32_t slave, uint32_t master) {
        write(row, base + 0x100 + 4 * slave, 1U << 31);
        write(row, base + 4 * master, 1U << 31 | slave);
    };
    write(0, 0x1F000, 1U << 10 | 1U << 14);
    write(0, 0x1F004, 1U << 4 | 1U << 6);
    connect(0, 0x3F000, 0, 2);
    connect(0, 0x3F000, 5, 12);
    connect(1, 0xB0000, 7, 7);
    connect(0, 0x3F000, 14, 4);
    return cdo;
}

/// Moves `words` words from buffer 0 to buffer 1.
Transaction copy_words(uint32_t words) {
    using namespace image::txn;
    Transaction code;
    const auto bd = [&](uint32_t id, uint64_t argument) {
        const uint32_t at = 0x1D000 + 0x20 * id;
        code.operations.emplace_back(BlockWrite{at, {words, 0, 0, 0, 0, 0, 0, 1U << 25}});
        code.operations.emplace_back(DdrPatch{at + 4, argument, 0});
    };
    bd(0, 0);
    bd(1, 1);
    code.operations.emplace_back(Write{0x1D204, 1U << 31 | 1});  // S2MM 0, BD 1, with a token
    code.operations.emplace_back(Write{0x1D214, 0});             // MM2S 0, BD 0
    code.operations.emplace_back(Sync{0, 0, 0, 1, 1, 0});
    return code;
}

/// A context with one CU, ready to run.
class CommandTest : public DriverTest {
  protected:
    static constexpr unsigned kTdrMs = 300;

    explicit CommandTest(bool force_cmdlist = true)
        : DriverTest([&] {
              Driver::Options options;
              options.tdr_timeout_ms = kTdrMs;
              options.force_cmdlist = force_cmdlist;
              return options;
          }()),
          heap_(file->heap()) {
        EXPECT_EQ(file->context(1, context_), 0);
    }

    /// A DEV BO with these bytes; its device address in `address`.
    uint32_t dev(const image::Bytes& bytes, uint64_t& address) {
        const auto handle = static_cast<uint32_t>(
            file->create(AMDXDNA_BO_DEV, std::max<size_t>(bytes.size(), 4096)));
        address = file->info(handle).xdna_addr;
        std::memcpy(heap_.bytes() + (address - kHeapBase), bytes.data(), bytes.size());
        return handle;
    }

    void configure(const image::Cdo& cdo = {}) {
        uint64_t address = 0;
        configure(dev(image::serialize(image::make_pdi(cdo)), address));
    }
    void configure(uint32_t pdi) {
        struct {
            uint16_t num_cus = 1;
            uint16_t pad[3] = {};
            amdxdna_cu_config cu{};
        } config;
        config.cu.cu_bo = pdi;
        amdxdna_drm_config_hwctx args{};
        args.handle = context_.handle;
        args.param_val = reinterpret_cast<uint64_t>(&config);
        args.param_val_size = 16;
        EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args), 0);
    }

    struct Packet {
        uint32_t handle = 0;
        Map map;
        uint32_t state() const { return map.words()[0] & 0xf; }
        bool filled() const {
            return std::all_of(map.words() + 1, map.words() + 1024,
                               [](uint32_t word) { return word == ~0U; });
        }
    };
    Packet packet(const std::vector<uint32_t>& words) {
        Packet out;
        out.handle = static_cast<uint32_t>(file->create(AMDXDNA_BO_CMD, 4096));
        EXPECT_EQ(file->map(out.handle, 4096, out.map), 0);
        std::copy(words.begin(), words.end(), out.map.words());
        return out;
    }
    Packet start_cu(const Transaction& code, const std::vector<uint64_t>& buffers = {}) {
        uint64_t address = 0;
        const image::Bytes bytes = image::serialize(code);
        dev(bytes, address);
        std::vector<uint32_t> words = {
            0, 1, 3, 0, static_cast<uint32_t>(address), 0, static_cast<uint32_t>(bytes.size() / 4)};
        for (const uint64_t buffer : buffers) {
            words.push_back(static_cast<uint32_t>(buffer));
            words.push_back(static_cast<uint32_t>(buffer >> 32));
        }
        words[0] = header(0, static_cast<uint32_t>(words.size() - 1));
        return packet(words);
    }
    Packet start_npu(const Transaction& code) {
        uint64_t address = 0;
        const image::Bytes bytes = image::serialize(code);
        dev(bytes, address);
        return packet({header(20, 5), 1, static_cast<uint32_t>(address), 0,
                       static_cast<uint32_t>(bytes.size()), 0});
    }
    Packet chain(const std::vector<const Packet*>& commands) {
        std::vector<uint32_t> words = {0, static_cast<uint32_t>(commands.size()), 0, 99, 0, 0, 0};
        for (const Packet* command : commands) {
            words.push_back(command->handle);
            words.push_back(0);
        }
        words[0] = header(19, static_cast<uint32_t>(words.size() - 1));
        return packet(words);
    }

    int exec(const Packet& command, uint64_t& seq, const std::vector<uint32_t>& bos = {}) {
        return file->exec(context_.handle, command.handle, bos, seq);
    }
    /// Runs to the end; the packet's state.
    uint32_t run(const Packet& command) {
        uint64_t seq = 0;
        EXPECT_EQ(exec(command, seq), 0);
        EXPECT_EQ(file->wait(context_.syncobj_handle, seq, 20'000), 0);
        return command.state();
    }

    Map heap_;
    amdxdna_drm_create_hwctx context_{};
};

/// A sync that no task will ever answer.
Transaction waiting_for_ever() {
    Transaction code;
    code.operations.emplace_back(image::txn::Sync{0, 0, 0, 1, 1, 0});
    return code;
}

TEST_F(CommandTest, AnEmptyProgramCompletes) {
    configure();
    EXPECT_EQ(run(start_cu({})), kCompleted);
    const Packet again = start_cu({});
    EXPECT_EQ(run(again), kCompleted);
    EXPECT_EQ(again.map.words()[1], 1U);  // the payload is left alone
    EXPECT_EQ(run(start_npu({})), kCompleted);
}

TEST_F(CommandTest, SequenceNumbersCountFromZero) {
    configure();
    const Packet command = start_cu({});
    for (uint64_t expected = 0; expected < 20; ++expected) {
        uint64_t seq = 99;
        ASSERT_EQ(exec(command, seq), 0);
        EXPECT_EQ(seq, expected);
    }
    EXPECT_EQ(file->wait(context_.syncobj_handle, 19, 20'000), 0);
    EXPECT_EQ(file->wait(context_.syncobj_handle, 20, 20'000), -EINVAL);
}

TEST_F(CommandTest, DataMovesThroughTheArray) {
    configure(turn_around());
    constexpr uint32_t kWords = 1024;
    const auto bo = static_cast<uint32_t>(file->create(AMDXDNA_BO_SHARE, 2 * kWords * 4));
    Map data;
    ASSERT_EQ(file->map(bo, 2 * kWords * 4, data), 0);
    for (uint32_t i = 0; i < kWords; ++i) {
        data.words()[i] = i * 2654435761U;
    }
    const Packet command =
        start_cu(copy_words(kWords), {data.address(), data.address() + kWords * 4});
    uint64_t seq = 0;
    for (int turn = 0; turn < 2; ++turn) {
        std::memset(data.words() + kWords, 0, kWords * 4);
        ASSERT_EQ(exec(command, seq, {bo}), 0);
        ASSERT_EQ(file->wait(context_.syncobj_handle, seq, 20'000), 0);
        EXPECT_EQ(command.state(), kCompleted);
        EXPECT_EQ(std::memcmp(data.words(), data.words() + kWords, kWords * 4), 0);
    }
}

TEST_F(CommandTest, UserMemoryAndHeapMemoryAreReached) {
    configure(turn_around());
    std::vector<uint32_t> in(256);
    for (uint32_t i = 0; i < in.size(); ++i) {
        in[i] = ~i;
    }
    uint64_t out = 0;
    dev(image::Bytes(in.size() * 4), out);
    EXPECT_EQ(run(start_cu(copy_words(256), {reinterpret_cast<uint64_t>(in.data()), out})),
              kCompleted);
    EXPECT_EQ(std::memcmp(heap_.bytes() + (out - kHeapBase), in.data(), in.size() * 4), 0);
}

TEST_F(CommandTest, ContextsThatShareColumnsDoNotMix) {
    configure(turn_around());
    amdxdna_drm_create_hwctx others[4] = {};
    for (auto& other : others) {
        ASSERT_EQ(file->context(1, other), 0);  // the last shares column 1
    }
    const amdxdna_drm_create_hwctx first = context_;
    uint32_t data[128] = {};
    data[5] = 55;
    const auto at = reinterpret_cast<uint64_t>(data);
    const Packet copy = start_cu(copy_words(64), {at, at + 256});
    EXPECT_EQ(run(copy), kCompleted);
    context_ = others[3];
    configure();  // nothing is routed here
    EXPECT_EQ(run(start_cu({})), kCompleted);
    context_ = first;
    data[64 + 5] = 0;
    EXPECT_EQ(run(copy), kCompleted);
    EXPECT_EQ(data[64 + 5], 55U);
}

TEST_F(CommandTest, ACoreThatTrapsIsNamedWithTileAddressAndInstruction) {
    flow::Design design(1);
    design.core({0, 4}, xdna::test::assemble("nop\nmovxm p0, #0x70001\nlda r0, [p0, #0]\ndone\n"));
    uint64_t address = 0;
    configure(dev(design.pdi(), address));
    EXPECT_EQ(run(start_cu({})), kError);
    EXPECT_TRUE(
        logged("(1,4) core: misaligned 4-byte access to 0x70001 in 'lda r0, [p0, #0]' at pc 0x8"));
    amdxdna_async_error error{};
    amdxdna_drm_get_array args{DRM_AMDXDNA_HW_LAST_ASYNC_ERR, sizeof error, 1, 0,
                               reinterpret_cast<uint64_t>(&error)};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
    EXPECT_EQ(error.err_code, 0x0000020303040000ULL + 8);  // core module, instruction
    EXPECT_EQ(error.ex_err_code, 0x401U);                  // row 4, column 1
    // It stands still until the PDI is loaded again, and a wait for it says why.
    EXPECT_EQ(run(start_cu(waiting_for_ever())), kTimeout);
    EXPECT_TRUE(logged("(1,4) core waits: a reset: misaligned"));
}

TEST_F(CommandTest, ACoreThatRunsOffItsProgramStandsStillAndEndsNoCommand) {
    flow::Design design(1);
    design.core({0, 4}, xdna::test::assemble("nopb; nopa; nops; nopx; nopm; nopv\n"));
    uint64_t address = 0;
    configure(dev(design.pdi(), address));
    EXPECT_EQ(run(start_cu({})), kCompleted);
    EXPECT_TRUE(logged("(1,4) core: fetch outside program memory at pc 0x4000"));
    amdxdna_async_error error{};
    amdxdna_drm_get_array args{DRM_AMDXDNA_HW_LAST_ASYNC_ERR, sizeof error, 1, 0,
                               reinterpret_cast<uint64_t>(&error)};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
    EXPECT_EQ(error.err_code, 0x0000020303040000ULL + 6);  // core module, access
    EXPECT_EQ(run(start_cu({})), kCompleted);
    EXPECT_EQ(run(start_cu(waiting_for_ever())), kTimeout);
    EXPECT_TRUE(logged("(1,4) core waits: a reset: fetch outside program memory"));
}

TEST_F(CommandTest, AnUnmappedBufferIsAnErrorWithItsAddress) {
    configure(turn_around());
    const Packet command = start_cu(copy_words(64), {0x10000, 0x20000});
    EXPECT_EQ(run(command), kError);
    EXPECT_TRUE(command.filled());
    EXPECT_TRUE(logged("operation"));
    amdxdna_async_error error{};
    amdxdna_drm_get_array args{DRM_AMDXDNA_HW_LAST_ASYNC_ERR, sizeof error, 1, 0,
                               reinterpret_cast<uint64_t>(&error)};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
    EXPECT_EQ(error.err_code, 0x0000020703040000ULL + 11);  // class, module, severity, driver, DMA
    EXPECT_EQ(error.ex_err_code, 1U);                       // column 1, row 0
}

TEST_F(CommandTest, ABadPdiFailsAtTheFirstExecution) {
    uint64_t address = 0;
    configure(dev(image::Bytes(64, 0xab), address));
    const Packet command = start_cu({});
    EXPECT_EQ(run(command), kError);
    EXPECT_TRUE(command.filled());
    EXPECT_TRUE(logged("PDI load failed"));
}

TEST_F(CommandTest, BadControlCodeNamesItsOperation) {
    configure();
    Transaction code;
    code.operations.emplace_back(image::txn::Noop{});
    code.operations.emplace_back(image::txn::Write{image::TileAddress{1, 0, 0}.encode(), 1});
    EXPECT_EQ(run(start_cu(code)), kError);
    EXPECT_TRUE(logged("operation 1 (WRITE)"));
    EXPECT_TRUE(logged("column 1 of a context with 1"));
}

TEST_F(CommandTest, UnconfiguredCusAreAnError) {
    EXPECT_EQ(run(start_cu({})), kError);
    configure();
    const Packet second = start_cu({});
    second.map.words()[1] = 2;  // CU 1
    EXPECT_EQ(run(second), kError);
}

TEST_F(CommandTest, WhatTheDriverRejectsStaysNew) {
    configure();
    const auto rejected = [&](const std::vector<uint32_t>& words) {
        const Packet command = packet(words);
        EXPECT_EQ(run(command), kNew);
        EXPECT_FALSE(command.filled());
    };
    rejected({header(18, 5), 1, 0, 0, 0, 0});            // START_DPU
    rejected({header(21, 12), 1});                       // preemption
    rejected({header(22, 12), 1});                       //
    rejected({header(4, 2), 1});                         // no such opcode
    rejected({header(0, 5), 0, 3, 0, 0, 0});             // no CU
    rejected({header(20, 4), 1, 0, 0, 0});               // too short for START_NPU
    rejected({header(20, 1 + 4 + 27), 1, 0, 0, 16, 0});  // too many arguments
    rejected({header(20, 2047), 1});                     // longer than the BO
    rejected({header(19, 6), 0, 0, 0, 0, 0, 0});         // a chain of nothing
    rejected({header(19, 8), 2, 0, 0, 0, 0, 0, 1, 0});   // of more than there are
    rejected({header(19, 8), 1, 0, 0, 0, 0, 0, 77, 0});  // of no BO
    const auto entries = [&] {
        amdxdna_drm_hwctx_entry entry{};
        amdxdna_drm_get_array args{0, sizeof entry, 1, 0, reinterpret_cast<uint64_t>(&entry)};
        EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
        return entry;
    }();
    EXPECT_EQ(entries.command_submissions, 11U);
    EXPECT_EQ(entries.command_completions, 0U);
}

TEST_F(CommandTest, ChecksOfTheCallItself) {
    configure();
    const Packet command = start_cu({});
    uint64_t seq = 0;
    amdxdna_drm_exec_cmd args{};
    const auto call = [&] { return file->call(DRM_IOCTL_AMDXDNA_EXEC_CMD, args); };
    args.hwctx = context_.handle;
    args.cmd_handles = command.handle;
    args.cmd_count = 1;
    args.ext = 1;
    EXPECT_EQ(call(), -EINVAL);
    args.ext = 0;
    args.type = 1;
    EXPECT_EQ(call(), -EINVAL);
    args.type = 0;
    args.cmd_count = 2;
    EXPECT_EQ(call(), -EINVAL);
    args.cmd_count = 1;
    args.arg_count = 4096;
    EXPECT_EQ(call(), -EINVAL);
    args.arg_count = 1;
    args.args = 8;
    EXPECT_EQ(call(), -EFAULT);
    args.arg_count = 0;
    args.cmd_handles = 0;
    EXPECT_EQ(call(), -EINVAL);
    args.cmd_handles = 77;
    EXPECT_EQ(call(), -EINVAL);
    args.cmd_handles = command.handle;
    args.hwctx = 77;
    EXPECT_EQ(call(), -EINVAL);
    EXPECT_EQ(exec(command, seq, {77}), -ENOENT);
    const auto bo = static_cast<uint32_t>(file->create(AMDXDNA_BO_SHARE, 4096));
    EXPECT_EQ(exec(command, seq, {bo, bo}), -EALREADY);
    EXPECT_EQ(exec(command, seq, {bo, command.handle}), 0);
    EXPECT_EQ(file->wait(context_.syncobj_handle, seq, 20'000), 0);
    amdxdna_drm_wait_cmd wait{context_.handle, 0, seq};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_WAIT_CMD, wait), -EOPNOTSUPP);
}

TEST_F(CommandTest, ChainsRunAsOne) {
    configure();
    const Packet a = start_cu({});
    const Packet b = start_cu({});
    EXPECT_EQ(run(chain({&a, &b})), kCompleted);
    EXPECT_EQ(a.state(), kNew);  // only the chain's own packet gets a result
    const Packet npu = start_npu({});
    EXPECT_EQ(run(chain({&a, &npu})), kNew);  // one kind of command only
}

TEST_F(CommandTest, AFailingChainNamesTheCommandAndSpoilsTheFirst) {
    configure();
    const Packet a = start_cu({});
    const Packet b = start_cu({});
    const Packet c = start_cu({});
    c.map.words()[1] = 2;  // CU 1 is not there
    const Packet all = chain({&a, &b, &c});
    EXPECT_EQ(run(all), kError);
    EXPECT_EQ(all.map.words()[3], 2U);
    EXPECT_TRUE(a.filled());
    EXPECT_FALSE(b.filled());
    EXPECT_FALSE(c.filled());
}

TEST_F(CommandTest, AHungCommandTimesOutAndTheContextGoesOn) {
    configure();
    const Packet hung = start_cu(waiting_for_ever());
    const Packet behind = start_cu({});
    uint64_t first = 0;
    uint64_t second = 0;
    ASSERT_EQ(exec(hung, first), 0);
    ASSERT_EQ(exec(behind, second), 0);
    EXPECT_EQ(file->wait(context_.syncobj_handle, second, 20), -ETIME);
    EXPECT_EQ(file->wait(context_.syncobj_handle, second, 20'000), 0);
    EXPECT_EQ(hung.state(), kTimeout);
    EXPECT_TRUE(hung.filled());
    EXPECT_EQ(behind.state(), kAbort);
    EXPECT_TRUE(logged("TDR timeout detected"));
    EXPECT_TRUE(logged("operation 0 (TCT)") || logged("operation 0 (SYNC)"));
    EXPECT_EQ(run(start_cu({})), kCompleted);
}

TEST_F(CommandTest, FourInFlightAndThenWait) {
    configure();
    const Packet hung = start_cu(waiting_for_ever());
    uint64_t seq = 0;
    for (int i = 0; i < 4; ++i) {
        ASSERT_EQ(exec(hung, seq), 0);
    }
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        caller.interrupt();
    });
    EXPECT_EQ(exec(hung, seq), -EINTR);
    other.join();
    caller.clear_interrupt();
    EXPECT_EQ(file->wait(context_.syncobj_handle, 3, 20'000), 0);
}

TEST_F(CommandTest, DestroyingAHungContextAbortsIt) {
    configure();
    const Packet hung = start_cu(waiting_for_ever());
    uint64_t seq = 0;
    ASSERT_EQ(exec(hung, seq), 0);
    EXPECT_EQ(file->destroy_context(context_.handle), 0);
    EXPECT_EQ(hung.state(), kAbort);
    EXPECT_EQ(file->wait(context_.syncobj_handle, seq, 0), 0);
    EXPECT_EQ(exec(hung, seq), -EINVAL);
}

TEST_F(CommandTest, FdinfoCountsBosInUseAsActive) {
    configure();
    const auto bo = static_cast<uint32_t>(file->create(AMDXDNA_BO_SHARE, 12288));
    const Packet hung = start_cu(waiting_for_ever());
    const auto shows = [&](const char* text) {
        return file->file().fdinfo().find(text) != std::string::npos;
    };
    EXPECT_FALSE(shows("drm-active-memory"));
    uint64_t seq = 0;
    ASSERT_EQ(exec(hung, seq, {bo}), 0);
    EXPECT_TRUE(shows("\ndrm-active-memory:\t12 KiB\n"));
    EXPECT_EQ(file->destroy_context(context_.handle), 0);
    EXPECT_FALSE(shows("drm-active-memory"));
}

TEST_F(CommandTest, ClosingTheFileWithWorkInFlight) {
    configure(turn_around());
    std::vector<uint32_t> data(1 << 16);
    const auto at = reinterpret_cast<uint64_t>(data.data());
    Packet command = start_cu(copy_words(1 << 15), {at, at + (1 << 17)});
    uint64_t seq = 0;
    for (int i = 0; i < 4; ++i) {
        ASSERT_EQ(exec(command, seq), 0);
    }
    // Mappings keep a file open.
    command.map = {};
    heap_ = {};
    file->close();
}

TEST_F(CommandTest, ManyThreadsOnOneFile) {
    configure();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            TestCaller self;
            for (int i = 0; i < 40; ++i) {
                amdxdna_drm_create_bo create{};
                create.type = AMDXDNA_BO_CMD;
                create.size = 4096;
                ASSERT_EQ(file->file().ioctl(self, DRM_IOCTL_AMDXDNA_CREATE_BO, &create), 0);
                amdxdna_drm_exec_cmd args{};
                args.hwctx = context_.handle;
                args.cmd_handles = create.handle;
                args.cmd_count = 1;
                ASSERT_EQ(file->file().ioctl(self, DRM_IOCTL_AMDXDNA_EXEC_CMD, &args), 0);
                drm_syncobj_timeline_wait wait{};
                uint64_t point = args.seq;
                wait.handles = reinterpret_cast<uint64_t>(&context_.syncobj_handle);
                wait.points = reinterpret_cast<uint64_t>(&point);
                wait.count_handles = 1;
                wait.timeout_nsec = deadline(20'000);
                ASSERT_EQ(file->file().ioctl(self, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait), 0);
                drm_gem_close close{create.handle, 0};
                ASSERT_EQ(file->file().ioctl(self, DRM_IOCTL_GEM_CLOSE, &close), 0);
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

class SingleCommandTest : public CommandTest {
  protected:
    SingleCommandTest() : CommandTest(false) {}
};

TEST_F(SingleCommandTest, RunsWithoutAChain) {
    configure();
    EXPECT_EQ(run(start_cu({})), kCompleted);
    EXPECT_EQ(run(start_npu({})), kCompleted);
    std::vector<uint32_t> words(22, 1);
    words[0] = header(0, 21);  // 20 words of register map: one more than the message has
    EXPECT_EQ(run(packet(words)), kNew);
    const Packet bad = start_cu({});
    bad.map.words()[1] = 2;
    EXPECT_EQ(run(bad), kError);
}

}  // namespace
}  // namespace xdna::emu::test

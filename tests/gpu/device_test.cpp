// Devices, buffers, recordings, caches and the errors of each.
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/gpu/fixture.hpp"

namespace xdna::test {
namespace {

using gpu::Type;

using DeviceTest = GpuTest;

template <class Call>
void expect_error(gpu::ErrorCode code, const std::string& part, Call&& call) {
    try {
        call();
        ADD_FAILURE() << "no error; expected one with '" << part << "'";
    } catch (const gpu::Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
}

gpu::MatmulShape square(std::uint32_t size) {
    return {.m = size, .n = size, .k = size};
}

TEST_F(DeviceTest, IsListedByNumberUuidAndName) {
    const auto list = gpu::Device::list();
    ASSERT_FALSE(list.empty());
    for (const std::string& which : {std::string("0"), list[0].uuid, list[0].name}) {
        EXPECT_EQ(gpu::Device({.which = which, .cache = "none"}).info().uuid, list[0].uuid);
    }
    expect_error(gpu::ErrorCode::kNoDevice, list[0].name,
                 [] { gpu::Device({.which = "no such device"}); });
    expect_error(gpu::ErrorCode::kNoDevice, "99999", [] { gpu::Device({.which = "99999"}); });
}

TEST_F(DeviceTest, BuffersHoldWhatIsWritten) {
    for (const gpu::Memory memory : {gpu::Memory::kDevice, gpu::Memory::kHost}) {
        const gpu::Buffer buffer(*device(), 1001, memory);
        std::vector<std::byte> bytes(500);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random()());
        }
        buffer.write(bytes, 501);
        std::vector<std::byte> back(500);
        buffer.read(back, 501);
        EXPECT_EQ(back, bytes);
        if (memory == gpu::Memory::kHost) {
            EXPECT_EQ(std::memcmp(buffer.map().data() + 501, bytes.data(), 500), 0);
        }
    }
}

TEST_F(DeviceTest, BufferErrors) {
    const gpu::Buffer buffer(*device(), 100);
    std::vector<std::byte> bytes(10);
    const auto invalid = gpu::ErrorCode::kInvalidArgument;
    expect_error(invalid, "0", [] { gpu::Buffer(*device(), 0); });
    expect_error(invalid, "91", [&] { buffer.write(bytes, 91); });
    expect_error(invalid, "18446744073709551615", [&] { buffer.read(bytes, SIZE_MAX); });
    expect_error(invalid, "host memory", [&] { static_cast<void>(buffer.map()); });
    expect_error(invalid, "kExportable", [&] { static_cast<void>(buffer.export_dmabuf()); });
}

TEST_F(DeviceTest, RunsOutOfMemoryWithAnError) {
    // No machine has this much; a driver may also call the size itself invalid.
    try {
        const gpu::Buffer buffer(*device(), std::size_t{1} << 60);
        ADD_FAILURE() << "2^60 bytes were allocated";
    } catch (const gpu::Error& error) {
        EXPECT_NE(error.code(), gpu::ErrorCode::kInvalidArgument) << error.what();
    }
    validation_messages();  // it has something to say of such a size
}

TEST_F(DeviceTest, ImportsHostMemory) {
    if (!device()->info().host_import) {
        GTEST_SKIP() << device()->info().name << " has no VK_EXT_external_memory_host";
    }
    const std::size_t size = std::max<std::size_t>(4096, device()->info().host_import_alignment);
    // As a BO of the NPU is mapped: shared memory with a descriptor behind it.
    const int fd = memfd_create("bo", MFD_CLOEXEC);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(size)), 0);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(memory, MAP_FAILED);
    {
        const gpu::Buffer a = gpu::Buffer::import_host(*device(), memory, size);
        const gpu::Buffer b(*device(), 1024, gpu::Memory::kHost);
        const gpu::Buffer c(*device(), 1024, gpu::Memory::kHost);
        auto* values = static_cast<float*>(memory);
        for (int i = 0; i < 256; i++) {
            values[i] = static_cast<float>(i);
            const float unit = i % 17 == 0 ? 1 : 0;
            std::memcpy(b.map().data() + 4 * i, &unit, 4);
        }
        gpu::multiply(*device(), gpu::Matmul(*device(), square(16)), {{&a}, {&b}, {&c}, {}});
        EXPECT_EQ(std::memcmp(c.map().data(), memory, 1024), 0);
        expect_error(gpu::ErrorCode::kInvalidArgument, "multiples", [&] {
            gpu::Buffer::import_host(*device(), static_cast<std::byte*>(memory) + 4, size);
        });
    }
    munmap(memory, size);
    close(fd);
}

TEST_F(DeviceTest, PassesDmabufsOn) {
    if (!device()->info().dmabuf) {
        GTEST_SKIP() << device()->info().name << " has no VK_EXT_external_memory_dma_buf";
    }
    std::optional<gpu::Buffer> exported;
    try {
        exported.emplace(*device(), 4096, gpu::Memory::kExportable);
    } catch (const gpu::Error& error) {
        validation_messages();
        GTEST_SKIP() << "no exportable memory here (lavapipe needs /dev/udmabuf): " << error.what();
    }
    const std::vector<std::byte> bytes(4096, std::byte{0x5a});
    exported->write(bytes);
    const int fd = exported->export_dmabuf();
    {
        const gpu::Device other({.cache = "none"});
        const gpu::Buffer imported = gpu::Buffer::import_dmabuf(other, fd, 4096);
        std::vector<std::byte> back(4096);
        imported.read(back);
        EXPECT_EQ(back, bytes);
    }
    EXPECT_EQ(close(fd), 0) << "the descriptor stays the caller's";
}

TEST_F(DeviceTest, ImportOfWhatIsNoDmabufIsAnError) {
    if (!device()->info().dmabuf) {
        expect_error(gpu::ErrorCode::kUnsupported, "dma_buf",
                     [] { gpu::Buffer::import_dmabuf(*device(), 0, 4096); });
        return;
    }
    EXPECT_THROW(gpu::Buffer::import_dmabuf(*device(), -1, 4096), gpu::Error);
    validation_messages();
}

struct BadShape {
    const char* part;
    gpu::MatmulShape shape;
};

TEST_F(DeviceTest, BadShapesAreNamed) {
    const BadShape bad[] = {
        {"at least 1", {.m = 0, .n = 1, .k = 1}},
        {"at least 1", {.m = 1, .n = 1, .k = 1, .batch = 0}},
        {"no product f16 x f32", {.m = 1, .n = 1, .k = 1, .a = {Type::kF16}}},
        {"no product i4 x i4", {.m = 1, .n = 1, .k = 1, .a = {Type::kI4}, .b = {Type::kI4}}},
        {"cannot be stored as i32", {.m = 1, .n = 1, .k = 1, .c = {Type::kI32}}},
        {"cannot be stored as f32", {.m = 1, .n = 1, .k = 1, .a = {Type::kI8}, .b = {Type::kI8}}},
        {"stride 3", {.m = 4, .n = 4, .k = 4, .a = {.stride = 3}}},
        {"operand a: a block type",
         {.m = 4, .n = 4, .k = 64, .a = {.type = Type::kQ4, .transposed = true}}},
        {"operand b: a block type", {.m = 4, .n = 4, .k = 64, .b = {.type = Type::kQ8}}},
        {"multiples of 32", {.m = 4, .n = 4, .k = 32, .a = {.type = Type::kQ4, .stride = 40}}},
        {"cannot share", {.m = 4, .n = 4, .k = 4, .batch = 2, .c = {.batch_stride = gpu::kShared}}},
        {"overlap", {.m = 4, .n = 4, .k = 4, .batch = 2, .c = {.batch_stride = 3}}},
        {"overlap", {.m = 4, .n = 4, .k = 4, .batch = 2, .c = {.batch_stride = 5}}},
        {"2^32", {.m = 70000, .n = 4, .k = 70000}},
    };
    for (const BadShape& row : bad) {
        expect_error(gpu::ErrorCode::kInvalidArgument, row.part,
                     [&] { gpu::Matmul(*device(), row.shape); });
    }
    expect_error(gpu::ErrorCode::kUnsupported, "no such kernel",
                 [] { gpu::Matmul(*device(), square(4), {.kernel = "no such kernel"}); });
    if (device()->info().buffer_range < std::size_t{4} << 30) {
        expect_error(gpu::ErrorCode::kUnsupported, "binds at most",
                     [] { gpu::Matmul(*device(), {.m = 60000, .n = 1, .k = 60000}); });
    }
}

TEST_F(DeviceTest, BadArgumentsAreNamed) {
    const gpu::Matmul matmul(*device(), square(16));
    const gpu::Buffer whole(*device(), 1024);
    const gpu::Buffer small(*device(), 1020);
    const gpu::Buffer c(*device(), 1024);
    const gpu::Device other_device({.cache = "none"});
    const gpu::Buffer foreign(other_device, 1024);
    const auto invalid = gpu::ErrorCode::kInvalidArgument;
    gpu::Recording recording(*device());
    expect_error(invalid, "a: no buffer", [&] {
        recording.matmul(matmul, {{}, {&whole}, {&c}, {}});
    });
    expect_error(invalid, "b: 1024 bytes", [&] {
        recording.matmul(matmul, {{&whole}, {&small}, {&c}, {}});
    });
    expect_error(invalid, "offset 4", [&] {
        recording.matmul(matmul, {{&whole, 4}, {&whole}, {&c}, {}});
    });
    expect_error(invalid, "past the buffer's end", [&] {
        recording.matmul(matmul,
                         {{&whole}, {&whole, device()->info().offset_alignment * 100}, {&c}, {}});
    });
    expect_error(invalid, "another device's", [&] {
        recording.matmul(matmul, {{&whole}, {&foreign}, {&c}, {}});
    });
    expect_error(invalid, "overlaps", [&] {
        recording.matmul(matmul, {{&whole}, {&c}, {&c}, {}});
    });
    recording.matmul(matmul, {{&whole}, {&whole}, {&c}, {}});
    recording.wait(recording.submit());
    expect_error(invalid, "has been submitted", [&] {
        recording.matmul(matmul, {{&whole}, {&whole}, {&c}, {}});
    });
}

gpu::Buffer identity() {
    gpu::Buffer buffer(*device(), 1024, gpu::Memory::kHost);
    std::vector<float> values(256);
    for (std::size_t i = 0; i < 256; i += 17) {
        values[i] = 2;
    }
    std::memcpy(buffer.map().data(), values.data(), 1024);
    return buffer;
}

// Each step reads what the one before wrote; replays see what the host wrote in between.
TEST_F(DeviceTest, RecordingsAreOrderedAndReplayed) {
    const gpu::Matmul matmul(*device(), square(16));
    const gpu::Buffer two = identity();
    const gpu::Buffer x(*device(), 1024, gpu::Memory::kHost);
    const gpu::Buffer y(*device(), 1024);
    const gpu::Buffer z(*device(), 1024, gpu::Memory::kHost);
    gpu::Recording recording(*device(), gpu::Timing::kEach);
    recording.matmul(matmul, {{&x}, {&two}, {&y}, {}});
    recording.matmul(matmul, {{&two}, {&y}, {&z}, {}});
    EXPECT_TRUE(recording.finished_after().empty());
    for (int round = 1; round <= 3; round++) {
        std::vector<float> values(256, static_cast<float>(round));
        std::memcpy(x.map().data(), values.data(), 1024);
        const gpu::Ticket ticket = recording.submit();
        EXPECT_TRUE(recording.wait_for(ticket, std::chrono::seconds(60)));
        std::memcpy(values.data(), z.map().data(), 1024);
        for (const float value : values) {
            ASSERT_EQ(value, static_cast<float>(4 * round));
        }
    }
    const auto times = recording.finished_after();
    if (device()->info().timestamp_period != 0) {
        ASSERT_EQ(times.size(), 2U);
        EXPECT_GT(times[0], 0);
        EXPECT_GT(times[1], times[0]);
    }
    EXPECT_FALSE(recording.wait_for({1000000000}, std::chrono::milliseconds(1)));
}

TEST_F(DeviceTest, ThreadsShareADevice) {
    const gpu::MatmulShape shape{.m = 40, .n = 24, .k = 56, .b = {.transposed = true}};
    std::vector<std::string> wrong(3);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); i++) {
        threads.emplace_back([&, i] {
            std::mt19937_64 own(i);
            for (int round = 0; round < 4; round++) {
                wrong[i] += multiply_and_compare(shape, "", own);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::string& message : wrong) {
        EXPECT_EQ(message, "");
    }
}

class CacheTest : public GpuTest {
  protected:
    void SetUp() override {
        GpuTest::SetUp();
        char name[] = "/tmp/xdna-gpu-XXXXXX";
        folder_ = mkdtemp(name);
    }
    void TearDown() override {
        std::filesystem::remove_all(folder_);
        GpuTest::TearDown();
    }
    std::string folder_;
};

TEST_F(CacheTest, KeepsPipelinesAndTuning) {
    const gpu::MatmulShape shape = square(32);
    std::string chosen;
    {
        const gpu::Device first({.cache = folder_});
        chosen = gpu::Matmul(first, shape, {.tune = true}).kernel();
    }
    const std::string base = folder_ + "/gpu-" + device()->info().uuid;
    EXPECT_TRUE(std::filesystem::exists(base + ".pipelines"));
    if (device()->info().timestamp_period == 0) {
        return;
    }
    // Another choice in the cache is believed: nothing was timed again.
    std::ifstream in(base + ".tuned");
    std::string line;
    ASSERT_TRUE(std::getline(in, line));
    ASSERT_NE(line.find(chosen), std::string::npos) << line;
    const auto kernels = gpu::Matmul::kernels(*device(), shape);
    ASSERT_GT(kernels.size(), 1U);
    const std::string other = kernels[0] == chosen ? kernels[1] : kernels[0];
    std::ofstream(base + ".tuned") << line.substr(0, line.find('\t') + 1) << other << '\n';
    const gpu::Device second({.cache = folder_});
    EXPECT_EQ(gpu::Matmul(second, shape, {.tune = true}).kernel(), other);
}

TEST_F(CacheTest, IsDoneWithoutWhereItIsUnusable) {
    const std::string base = folder_ + "/gpu-" + device()->info().uuid;
    std::ofstream(base + ".pipelines") << "no pipeline cache";
    std::ofstream(base + ".tuned") << "nonsense\n\t\t\n";
    gpu::Matmul(gpu::Device({.cache = folder_}), square(8));
    gpu::Matmul(gpu::Device({.cache = base + ".tuned/not a folder"}), square(8));
}

}  // namespace
}  // namespace xdna::test

#include "tests/conformance/fixture.hpp"

#include <time.h>

#include <filesystem>

namespace xdna::conformance {

namespace {
std::string& current_rule() {
    static std::string text;
    return text;
}
}  // namespace

void rule(const std::string& place, const std::string& text) {
    current_rule() = text + " (" + place + ")";
    testing::Test::RecordProperty("rule", text);
    testing::Test::RecordProperty("source", place);
}

std::string stated_rule() {
    return current_rule();
}

void forget_rule() {
    current_rule().clear();
}

bool eventually(const std::function<bool()>& condition) {
    constexpr int64_t kLimit = 5'000'000'000;
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 2'000'000};
    const int64_t end = monotonic_ns() + kLimit;
    while (!condition()) {
        if (monotonic_ns() > end) {
            return false;
        }
        nanosleep(&kPause, nullptr);
    }
    return true;
}

size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
        count++;
    }
    return count;
}

void Conformance::SetUp() {
    forget_rule();
    device = RawDevice::open();
    ASSERT_TRUE(device) << "cannot open " << target().node << ": " << Status(-errno);
}

void Conformance::TearDown() {
    EXPECT_TRUE(IsSkipped() || HasFatalFailure() || !stated_rule().empty())
        << "this case states no rule";
}

State Command::state() const {
    constexpr uint32_t kStateMask = 0xF;
    return static_cast<State>(word(0) & kStateMask);
}

uint32_t Command::word(size_t index) const {
    return __atomic_load_n(memory.words() + index, __ATOMIC_ACQUIRE);
}

void Command::write(const Words& words) const {
    memcpy(memory.data(), words.data(), words.size() * sizeof(uint32_t));
}

Mapping map_heap(const RawDevice& device, uint32_t handle) {
    // Aligned to its size, as the firmware's MAP_HOST_BUFFER wants it: reserve twice as much, and
    // keep the aligned half.
    auto info = device.bo_info(handle);
    Mapping space(
        mmap(nullptr, 2 * kHeapSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
        2 * kHeapSize);
    if (!space) {
        return {};
    }
    const uint64_t aligned = (space.address() + kHeapSize - 1) / kHeapSize * kHeapSize;
    const uint64_t before = aligned - space.address();
    uint8_t* start = space.bytes();
    space.release();
    if (before > 0) {
        munmap(start, before);
    }
    munmap(start + before + kHeapSize, kHeapSize - before);
    void* at = mmap(start + before, kHeapSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                    device.fd(), static_cast<off_t>(info.map_offset));
    if (at == MAP_FAILED) {
        munmap(start + before, kHeapSize);
        return {};
    }
    return {at, kHeapSize};
}

void HeapConformance::SetUp() {
    ASSERT_NO_FATAL_FAILURE(Conformance::SetUp());
    ASSERT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, heap), kOk);
    heap_memory = map_heap(device, heap);
    ASSERT_TRUE(heap_memory) << "mapping the heap: " << Status(-errno);
}

DevBo HeapConformance::dev_bo(uint64_t size) const {
    DevBo bo;
    bo.handle = device.bo(AMDXDNA_BO_DEV, size);
    if (bo.handle != 0) {
        bo.address = device.bo_info(bo.handle).xdna_addr;
        bo.memory = heap_memory.bytes() + (bo.address - kHeapAddress);
    }
    return bo;
}

DevBo HeapConformance::dev_bo(const Words& words) const {
    const size_t bytes = words.size() * sizeof(uint32_t);
    DevBo bo = dev_bo(bytes);
    if (bo.handle != 0) {
        memcpy(bo.memory, words.data(), bytes);
        // The NPU does not snoop: have the kernel write the caches back. Carve-out memory is not
        // cached by this call, and refuses it.
        (void)device.sync_bo(bo.handle, SYNC_DIRECT_TO_DEVICE, 0, bytes);
    }
    return bo;
}

Command HeapConformance::command(const Words& words, uint64_t size) const {
    Command made;
    made.handle = device.bo(AMDXDNA_BO_CMD, size);
    made.memory = device.map_bo(made.handle, size);
    if (made.memory) {
        made.write(words);
    }
    return made;
}

State HeapConformance::run(const Context& on, const Command& submitted,
                           const std::vector<uint32_t>& args, uint64_t* sequence) const {
    uint64_t number = 0;
    EXPECT_EQ(device.exec(on.handle, submitted.handle, args, number), kOk);
    EXPECT_EQ(device.syncobj_wait(on.syncobj, number, kPatienceMs), kOk);
    if (sequence != nullptr) {
        *sequence = number;
    }
    return submitted.state();
}

void ContextConformance::SetUp() {
    ASSERT_NO_FATAL_FAILURE(HeapConformance::SetUp());
    pdi = dev_bo(minimal_pdi());
    empty_code = dev_bo(empty_transaction());
    ASSERT_NE(pdi.handle, 0U);
    ASSERT_NE(empty_code.handle, 0U);
    ASSERT_EQ(device.create_hwctx(column_tiles(), context), kOk);
    ASSERT_EQ(device.config_cus(context.handle, {{.cu_bo = pdi.handle}}), kOk);
}

}  // namespace xdna::conformance

// A plugin for QEMU's TCG that counts what the guest's one processor executes, for programs in it
// that use tests/lab/guest_counter.cpp: user-space and kernel instructions, and system calls,
// exactly.
//
// The declarations are QEMU's plugin interface, version 7 (QEMU 11.1,
// include/plugins/qemu-plugin.h): Debian packages no header of it.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/lab/guest_counter.hpp"

#define EXPORT __attribute__((visibility("default")))

extern "C" {
struct Block;
struct Instruction;
struct Scoreboard;
struct Entry {
    Scoreboard* score;
    size_t offset;
};
struct ByteArray {
    uint8_t* data;
    unsigned length;
};
enum Operation { kAdd };
enum Flags { kNoRegisters };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(Block*, void*),
                                           void* data);
void qemu_plugin_register_vcpu_insn_exec_cb(Instruction* instruction,
                                            void (*callback)(unsigned, void*), Flags flags,
                                            void* data);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(Instruction* instruction,
                                                         Operation operation, Entry entry,
                                                         uint64_t value);
size_t qemu_plugin_tb_n_insns(const Block* block);
Instruction* qemu_plugin_tb_get_insn(const Block* block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const Instruction* instruction);
size_t qemu_plugin_insn_data(const Instruction* instruction, void* to, size_t size);
Scoreboard* qemu_plugin_scoreboard_new(size_t element_bytes);
uint64_t qemu_plugin_u64_sum(Entry entry);
bool qemu_plugin_write_memory_vaddr(uint64_t address, ByteArray* data);

EXPORT int qemu_plugin_version = 7;
EXPORT int qemu_plugin_install(uint64_t id, const void* info, int argc, char** argv);
}

namespace {

using xdna::lab::Counters;

Scoreboard* board = nullptr;

Entry counter(size_t offset) {
    return {board, offset};
}

/// The marker is being executed: the program that has it finds the counters in its page.
void tell(unsigned /*processor*/, void* /*data*/) {
    Counters now{qemu_plugin_u64_sum(counter(offsetof(Counters, user))),
                 qemu_plugin_u64_sum(counter(offsetof(Counters, kernel))),
                 qemu_plugin_u64_sum(counter(offsetof(Counters, system_calls)))};
    ByteArray bytes{reinterpret_cast<uint8_t*>(&now), sizeof now};
    qemu_plugin_write_memory_vaddr(xdna::lab::kCountersAddress, &bytes);
}

void translated(Block* block, void* /*data*/) {
    constexpr uint8_t kSyscall[] = {0x0f, 0x05};
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        Instruction* instruction = qemu_plugin_tb_get_insn(block, i);
        const bool kernel = qemu_plugin_insn_vaddr(instruction) >> 63 != 0;
        const auto count = [&](size_t offset) {
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(instruction, kAdd, counter(offset),
                                                                1);
        };
        count(kernel ? offsetof(Counters, kernel) : offsetof(Counters, user));
        if (kernel) {
            continue;
        }
        uint8_t bytes[sizeof xdna::lab::kMarker] = {};
        const size_t size = qemu_plugin_insn_data(instruction, bytes, sizeof bytes);
        if (size == sizeof kSyscall && std::memcmp(bytes, kSyscall, size) == 0) {
            count(offsetof(Counters, system_calls));
        } else if (size == sizeof bytes &&
                   std::memcmp(bytes, xdna::lab::kMarker, sizeof bytes) == 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, tell, kNoRegisters, nullptr);
        }
    }
}

}  // namespace

int qemu_plugin_install(uint64_t id, const void* /*info*/, int /*argc*/, char** /*argv*/) {
    board = qemu_plugin_scoreboard_new(sizeof(Counters));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated, nullptr);
    return 0;
}

// Filling packets, and binding BOs to them.
#include "libxdna/packet.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "libxdna/bo.hpp"
#include "libxdna/cmd.hpp"
#include "libxdna/error.hpp"

namespace xdna {
namespace {

using ull = unsigned long long;

/// 0 if the command may be changed now.
int check_idle(xdna_cmd* cmd, const char* who) {
    if (cmd == nullptr) {
        return fail(-EINVAL, "%s: cmd is NULL", who);
    }
    if (is_busy(cmd)) {
        return fail(-EBUSY, "%s: the command is in flight: wait for it first", who);
    }
    if (cmd->chain != nullptr && is_busy(cmd->chain)) {
        return fail(-EBUSY, "%s: the command is in flight in a chain: wait for that first", who);
    }
    return 0;
}

/// As check_idle(), for calls that change more than argument words: a chain counts on its members.
int check_free(xdna_cmd* cmd, const char* who) {
    if (int error = check_idle(cmd, who); error != 0) {
        return error;
    }
    if (cmd->chain != nullptr) {
        return fail(-EBUSY, "%s: the command is a member of a chain, which counts on it", who);
    }
    if (cmd->hwctx->is_gone.load(std::memory_order_acquire)) {
        return fail(-ENODEV, "%s: the command's context was destroyed", who);
    }
    return 0;
}

int check_words(const xdna_cmd* cmd, const uint32_t* words, uint32_t count, uint32_t before,
                uint32_t limit, const char* who) {
    if (words == nullptr && count != 0) {
        return fail(-EINVAL, "%s: %u words at NULL", who, count);
    }
    if (count > limit) {
        return fail(-E2BIG, "%s: %u words: the firmware's message holds %u", who, count, limit);
    }
    const uint64_t bytes = (uint64_t{before} + count) * sizeof(uint32_t);
    if (bytes > cmd->bo->size) {
        return fail(-E2BIG, "%s: a packet of %llu bytes: the command was made for %llu", who,
                    static_cast<ull>(bytes), static_cast<ull>(cmd->bo->size));
    }
    return 0;
}

int check_cu(uint32_t cu, const char* who) {
    return cu < kMaxCus ? 0 : fail(-EINVAL, "%s: CU %u: there are 0 to %u", who, cu, kMaxCus - 1);
}

int check_code(const xdna_cmd* cmd, const xdna_code* code, const char* name, const char* who) {
    if (code == nullptr || code->bo == nullptr) {
        return fail(-EINVAL, "%s: %s%s is NULL", who, name, code == nullptr ? "" : ".bo");
    }
    if (code->bo->device != cmd->hwctx->device) {
        return fail(-EINVAL, "%s: %s.bo is of another device", who, name);
    }
    if (code->bo->type != XDNA_BO_DEV) {
        return fail(-EINVAL, "%s: %s.bo is a %s BO: control code lives in DEV BOs", who, name,
                    bo_type_name(code->bo->type));
    }
    if (code->size == 0 || code->size % 4 != 0 || code->offset % 4 != 0) {
        return fail(-EINVAL, "%s: %s of %u bytes at offset %llu: both must be multiples of 4", who,
                    name, code->size, static_cast<ull>(code->offset));
    }
    if (code->offset > code->bo->size || code->size > code->bo->size - code->offset) {
        return fail(-EINVAL, "%s: %s of %u bytes at offset %llu ends outside its BO of %llu", who,
                    name, code->size, static_cast<ull>(code->offset),
                    static_cast<ull>(code->bo->size));
    }
    return 0;
}

int check_bindable(const xdna_cmd* cmd, xdna_bo* const* bos, uint32_t count, const char* who) {
    if (bos == nullptr && count != 0) {
        return fail(-EINVAL, "%s: %u BOs at NULL", who, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (bos[i] == nullptr || bos[i]->device != cmd->hwctx->device) {
            return fail(-EINVAL, "%s: BO %u is %s", who, i,
                        bos[i] == nullptr ? "NULL" : "of another device");
        }
        if (bos[i]->type == XDNA_BO_CMD) {
            // Linux 6.14 cannot pin one, and the NPU never reads a packet itself.
            return fail(-EINVAL, "%s: BO %u is a CMD BO: those hold packets, for the driver", who,
                        i);
        }
    }
    return 0;
}

/// Those of `more` that `list` has not yet.
void add_new(std::vector<xdna_bo*>& list, std::span<xdna_bo* const> more) {
    for (xdna_bo* bo : more) {
        if (std::find(list.begin(), list.end(), bo) == list.end()) {
            list.push_back(bo);
        }
    }
}

int check_bound(const std::vector<xdna_bo*>& bound, const char* who) {
    return bound.size() <= kMaxArguments ? 0
                                         : fail(-E2BIG, "%s: %zu BOs: a submission takes %u", who,
                                                bound.size(), kMaxArguments);
}

/// Adds BOs to a command's list, those that it has already left out. The caller has checked them.
void bind(xdna_cmd* cmd, std::span<xdna_bo* const> bos) {
    cmd->bound.reserve(cmd->bound.size() + bos.size());
    cmd->handles.reserve(cmd->handles.size() + bos.size());
    for (xdna_bo* bo : bos) {
        if (std::find(cmd->bound.begin(), cmd->bound.end(), bo) == cmd->bound.end()) {
            ref(bo);
            cmd->bound.push_back(bo);
            cmd->handles.push_back(bo->handle);
        }
    }
    cmd->exec.args = reinterpret_cast<uintptr_t>(cmd->handles.data());
    cmd->exec.arg_count = static_cast<uint32_t>(cmd->handles.size());
}

/// Gives the command a new packet, whose header is still missing, and the BOs that it implies.
void fill(xdna_cmd* cmd, Opcode opcode, uint32_t first_argument, std::vector<uint32_t> words,
          std::span<xdna_bo* const> bos) {
    words[0] = packet_header(opcode, static_cast<uint32_t>(words.size()) - 1);
    clear(cmd);
    cmd->words = std::move(words);
    bind(cmd, bos);
    std::memcpy(cmd->packet, cmd->words.data(), cmd->words.size() * sizeof(uint32_t));
    cmd->opcode = opcode;
    cmd->first_argument = first_argument;
    cmd->is_filled = true;
}

void push_address(std::vector<uint32_t>& words, uint64_t address) {
    words.push_back(static_cast<uint32_t>(address));
    words.push_back(static_cast<uint32_t>(address >> 32));
}
void push_address(std::vector<uint32_t>& words, const xdna_code& code) {
    push_address(words, code.bo->address + code.offset);
}

void fill_start_cu(xdna_cmd* cmd, uint32_t cu, std::span<const uint32_t> map,
                   std::span<xdna_bo* const> bos) {
    std::vector<uint32_t> packet{0, 1U << cu};
    packet.insert(packet.end(), map.begin(), map.end());
    fill(cmd, Opcode::kStartCu, kStartCuWords, std::move(packet), bos);
}

void append(std::vector<uint32_t>& words, const uint32_t* from, uint32_t count) {
    if (count != 0) {
        words.insert(words.end(), from, from + count);
    }
}

/// -EINVAL or -E2BIG with its message, unless `members` can be chained in `chain`.
int check_members(const xdna_cmd* chain, std::span<xdna_cmd* const> members, const char* who) {
    uint64_t slot_bytes = 0;
    for (size_t i = 0; i < members.size(); i++) {
        xdna_cmd* member = members[i];
        if (member == nullptr || !member->is_filled) {
            return fail(-EINVAL, "%s: command %zu is %s", who, i,
                        member == nullptr ? "NULL" : "not filled");
        }
        if (member == chain || member->opcode == Opcode::kCmdChain) {
            return fail(-EINVAL, "%s: command %zu is a chain itself", who, i);
        }
        if (member->hwctx != chain->hwctx) {
            return fail(-EINVAL, "%s: command %zu is another context's", who, i);
        }
        if (member->opcode != members[0]->opcode) {
            return fail(-EINVAL, "%s: command %zu has opcode %u, command 0 has %u", who, i,
                        static_cast<unsigned>(member->opcode),
                        static_cast<unsigned>(members[0]->opcode));
        }
        if (std::find(members.begin(), members.begin() + static_cast<ptrdiff_t>(i), member) !=
            members.begin() + static_cast<ptrdiff_t>(i)) {
            return fail(-EINVAL, "%s: command %zu is there twice", who, i);
        }
        if (member->chain != nullptr && member->chain != chain) {
            return fail(-EBUSY, "%s: command %zu is a member of another chain", who, i);
        }
        if (is_busy(member)) {
            return fail(-EBUSY, "%s: command %zu is in flight", who, i);
        }
        slot_bytes +=
            kChainSlotBytes + (member->words.size() - member->first_argument) * sizeof(uint32_t);
    }
    if (slot_bytes > kChainBytes) {
        return fail(-E2BIG, "%s: %zu commands take %llu bytes of slots; the driver has %u", who,
                    members.size(), static_cast<ull>(slot_bytes), kChainBytes);
    }
    return 0;
}

}  // namespace
}  // namespace xdna

using xdna::fail;
using xdna::guarded;
using xdna::Opcode;

int xdna_cmd_set_start_cu(struct xdna_cmd* cmd, uint32_t cu, const uint32_t* words,
                          uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_start_cu";
    return guarded(kWho, [&] {
        int error = xdna::check_free(cmd, kWho);
        error = error != 0 ? error : xdna::check_cu(cu, kWho);
        if (error == 0 && count == 0) {
            error = fail(-EINVAL, "%s: no words: the driver refuses an empty payload", kWho);
        }
        error = error != 0 ? error
                           : xdna::check_words(cmd, words, count, xdna::kStartCuWords,
                                               xdna::kMaxStartCuWords, kWho);
        if (error != 0) {
            return error;
        }
        xdna::fill_start_cu(cmd, cu, std::span(words, count), {});
        return 0;
    });
}

int xdna_cmd_set_transaction(struct xdna_cmd* cmd, uint32_t cu, const struct xdna_code* code,
                             struct xdna_bo* const* buffers, uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_transaction";
    return guarded(kWho, [&] {
        int error = xdna::check_free(cmd, kWho);
        error = error != 0 ? error : xdna::check_cu(cu, kWho);
        error = error != 0 ? error : xdna::check_code(cmd, code, "code", kWho);
        error = error != 0 ? error : xdna::check_bindable(cmd, buffers, count, kWho);
        if (error != 0) {
            return error;
        }
        // The arguments of such a kernel: mlir-aie, docs of kernels.json (opcode 3: a transaction).
        std::vector<uint32_t> map{3, 0};
        xdna::push_address(map, *code);
        map.push_back(code->size / 4);
        std::vector<xdna_bo*> bound{code->bo};
        for (xdna_bo* buffer : std::span(buffers, count)) {
            xdna::push_address(map, buffer->address);
        }
        xdna::add_new(bound, std::span(buffers, count));
        error = xdna::check_words(cmd, map.data(), static_cast<uint32_t>(map.size()),
                                  xdna::kStartCuWords, xdna::kMaxStartCuWords, kWho);
        error = error != 0 ? error : xdna::check_bound(bound, kWho);
        if (error != 0) {
            return error;
        }
        xdna::fill_start_cu(cmd, cu, map, bound);
        return 0;
    });
}

int xdna_cmd_set_start_npu(struct xdna_cmd* cmd, uint32_t cu, const struct xdna_code* code,
                           const uint32_t* args, uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_start_npu";
    return guarded(kWho, [&] {
        int error = xdna::check_free(cmd, kWho);
        error = error != 0 ? error : xdna::check_cu(cu, kWho);
        error = error != 0 ? error : xdna::check_code(cmd, code, "code", kWho);
        error = error != 0 ? error
                           : xdna::check_words(cmd, args, count, xdna::kStartNpuWords,
                                               xdna::kMaxStartNpuArgs, kWho);
        if (error != 0) {
            return error;
        }
        std::vector<uint32_t> packet{0, 1U << cu};
        xdna::push_address(packet, *code);
        packet.push_back(code->size);
        packet.push_back(0);
        xdna::append(packet, args, count);
        xdna::fill(cmd, Opcode::kStartNpu, xdna::kStartNpuWords, std::move(packet),
                   std::span(&code->bo, 1));
        return 0;
    });
}

int xdna_cmd_set_start_npu_preempt(struct xdna_cmd* cmd, uint32_t cu, const struct xdna_code* code,
                                   const struct xdna_code* save, const struct xdna_code* restore,
                                   const uint32_t* args, uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_start_npu_preempt";
    return guarded(kWho, [&] {
        int error = xdna::check_free(cmd, kWho);
        error = error != 0 ? error
                           : xdna::need_feature(cmd->hwctx->device, XDNA_FEATURE_PREEMPTION, kWho);
        error = error != 0 ? error : xdna::check_cu(cu, kWho);
        error = error != 0 ? error : xdna::check_code(cmd, code, "code", kWho);
        error = error != 0 ? error : xdna::check_code(cmd, save, "save", kWho);
        error = error != 0 ? error : xdna::check_code(cmd, restore, "restore", kWho);
        error = error != 0 ? error
                           : xdna::check_words(cmd, args, count, xdna::kStartNpuPreemptWords,
                                               xdna::kMaxStartNpuArgs, kWho);
        if (error != 0) {
            return error;
        }
        std::vector<uint32_t> packet{0, 1U << cu};
        for (const xdna_code* part : {code, save, restore}) {
            xdna::push_address(packet, *part);
        }
        for (const xdna_code* part : {code, save, restore}) {
            packet.push_back(part->size);
        }
        packet.push_back(0);
        xdna::append(packet, args, count);
        xdna_bo* const bos[] = {code->bo, save->bo, restore->bo};
        xdna::fill(cmd, Opcode::kStartNpuPreempt, xdna::kStartNpuPreemptWords, std::move(packet),
                   bos);
        return 0;
    });
}

int xdna_cmd_set_chain(struct xdna_cmd* cmd, struct xdna_cmd* const* cmds, uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_chain";
    return guarded(kWho, [&] {
        if (int error = xdna::check_free(cmd, kWho); error != 0) {
            return error;
        }
        if (cmds == nullptr || count == 0) {
            return fail(-EINVAL, "%s: %s", kWho, count == 0 ? "no commands" : "cmds is NULL");
        }
        const std::span members(cmds, count);
        const uint64_t words = xdna::kChainWords + uint64_t{2} * count;
        if (words * sizeof(uint32_t) > cmd->bo->size || words - 1 > xdna::kMaxCount) {
            return fail(-E2BIG, "%s: %u handles do not fit into a packet of %llu bytes", kWho,
                        count, static_cast<unsigned long long>(cmd->bo->size));
        }
        if (int error = xdna::check_members(cmd, members, kWho); error != 0) {
            return error;
        }
        std::vector<uint32_t> packet(xdna::kChainWords);
        packet[1] = count;
        std::vector<xdna_bo*> bound;
        for (xdna_cmd* member : members) {
            packet.push_back(member->bo->handle);
            packet.push_back(0);
            xdna::add_new(bound, member->bound);
        }
        if (int error = xdna::check_bound(bound, kWho); error != 0) {
            return error;
        }
        std::vector<xdna_cmd*> kept(members.begin(), members.end());
        xdna::fill(cmd, Opcode::kCmdChain, static_cast<uint32_t>(packet.size()), std::move(packet),
                   bound);
        for (xdna_cmd* member : kept) {
            member->refs++;
            member->chain = cmd;
        }
        cmd->members = std::move(kept);
        return 0;
    });
}

int xdna_cmd_bind(struct xdna_cmd* cmd, struct xdna_bo* const* bos, uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_bind";
    return guarded(kWho, [&] {
        if (int error = xdna::check_free(cmd, kWho); error != 0) {
            return error;
        }
        if (!cmd->is_filled) {
            return fail(-EINVAL, "%s: fill the command first: filling forgets bindings", kWho);
        }
        if (int error = xdna::check_bindable(cmd, bos, count, kWho); error != 0) {
            return error;
        }
        std::vector<xdna_bo*> bound = cmd->bound;
        xdna::add_new(bound, std::span(bos, count));
        if (int error = xdna::check_bound(bound, kWho); error != 0) {
            return error;
        }
        xdna::bind(cmd, bound);
        return 0;
    });
}

int xdna_cmd_set_words(struct xdna_cmd* cmd, uint32_t first, const uint32_t* words,
                       uint32_t count) {
    constexpr const char* kWho = "xdna_cmd_set_words";
    if (int error = xdna::check_idle(cmd, kWho); error != 0) {
        return error;
    }
    if (!cmd->is_filled || cmd->opcode == Opcode::kCmdChain) {
        return fail(-EINVAL, "%s: %s", kWho,
                    cmd->is_filled ? "a chain has no argument words" : "the command is not filled");
    }
    const auto room = static_cast<uint32_t>(cmd->words.size()) - cmd->first_argument;
    if (first > room || count > room - first || (words == nullptr && count != 0)) {
        return words == nullptr && count != 0
                   ? fail(-EINVAL, "%s: %u words at NULL", kWho, count)
                   : fail(-EINVAL, "%s: %u words from word %u: the command has %u", kWho, count,
                          first, room);
    }
    const uint32_t at = cmd->first_argument + first;
    for (uint32_t i = 0; i < count; i++) {
        cmd->words[at + i] = words[i];
        cmd->packet[at + i] = words[i];
    }
    return 0;
}

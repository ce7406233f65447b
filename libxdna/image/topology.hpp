// The xclbin sections that say what a kernel is connected to: memory banks, which argument goes to
// which bank, and the kernel instances (compute units).
//
// Source: Xilinx/XRT, src/runtime_src/core/include/xrt/detail/xclbin.h.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {

// MEM_TOPOLOGY, and GROUP_TOPOLOGY: banks and groups of banks, in index order.
struct MemoryBank {
    static constexpr uint8_t kDram = 2;

    uint8_t type = kDram;
    uint8_t used = 1;
    std::array<uint8_t, 6> padding{};
    uint64_t size = 0;  // KiB
    uint64_t base = 0;
    FixedText<16> tag;
    bool operator==(const MemoryBank&) const = default;
};
struct MemTopology {
    std::vector<MemoryBank> banks;
    bool operator==(const MemTopology&) const = default;
};

// CONNECTIVITY, and GROUP_CONNECTIVITY (banks are groups there).
struct Connection {
    uint32_t argument = 0;  // index of the kernel's argument
    uint32_t ip = 0;        // index into IP_LAYOUT
    uint32_t bank = 0;      // index into MEM_TOPOLOGY
    bool operator==(const Connection&) const = default;
};
struct Connectivity {
    std::vector<Connection> connections;
    bool operator==(const Connectivity&) const = default;
};

// IP_LAYOUT: a CU's index is its place here.
struct Ip {
    static constexpr uint32_t kPsKernel = 7;  // what NPU kernels are
    static constexpr uint32_t kDpu = 1;       // their subtype

    uint32_t type = kPsKernel;
    uint32_t properties = 0;  // subtype 1:0, functional 5:4, kernel id 27:16
    uint64_t base = ~uint64_t{0};
    FixedText<64> name;  // "KERNEL:INSTANCE"

    uint32_t subtype() const { return properties & 3; }
    uint32_t functional() const { return properties >> 4 & 3; }
    uint32_t kernel_id() const { return properties >> 16 & 0xFFF; }
    bool operator==(const Ip&) const = default;
};
struct IpLayout {
    std::vector<Ip> ips;
    bool operator==(const IpLayout&) const = default;
};

// All throw FormatError.
MemTopology parse_mem_topology(ByteView section);
Connectivity parse_connectivity(ByteView section);
IpLayout parse_ip_layout(ByteView section);

Bytes serialize(const MemTopology& topology);
Bytes serialize(const Connectivity& connectivity);
Bytes serialize(const IpLayout& layout);

}  // namespace xdna::image

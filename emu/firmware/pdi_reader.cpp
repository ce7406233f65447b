#include "emu/firmware/pdi_reader.hpp"

#include <algorithm>
#include <cstring>

namespace xdna::emu::firmware {

namespace {

// Where libxdna/image/pdi.hpp's fields lie, in bytes; word offsets count from the file's start.
constexpr uint32_t kBusWidthWord = 0x000000DD;
constexpr uint64_t kBusWidthBytes = 16;
constexpr uint64_t kTableBytes = 128;
constexpr uint64_t kPartitionHeaderBytes = 128;
constexpr uint32_t kMaxPartitions = 64;

struct Memory {
    HostMemory& host;
    uint64_t address;
    uint64_t limit;

    bool word(uint64_t offset, uint32_t& out) const {
        return offset <= limit && limit - offset >= sizeof out &&
               host.read(address + offset, &out, sizeof out);
    }
};

}  // namespace

bool read_pdi(HostMemory& memory, uint64_t address, uint64_t limit, std::vector<uint8_t>& out,
              std::string& problem) {
    const Memory from{memory, address, limit};
    uint32_t first = 0;
    uint32_t partitions = 0;
    uint32_t header = 0;
    problem = "the PDI's headers are not in mapped memory";
    if (!from.word(0, first)) {
        return false;
    }
    const uint64_t table = first == kBusWidthWord ? kBusWidthBytes : 0;
    if (!from.word(table + 0x0C, partitions) || !from.word(table + 0x10, header)) {
        return false;
    }
    if (partitions == 0 || partitions > kMaxPartitions) {
        problem = "its image header table gives " + std::to_string(partitions) + " partitions";
        return false;
    }
    uint64_t end = table + kTableBytes;
    for (uint32_t i = 0; i < partitions; ++i) {
        const uint64_t at = uint64_t{header} * 4 + i * kPartitionHeaderBytes;
        uint32_t total = 0;
        uint32_t data = 0;
        if (!from.word(at + 0x08, total) || !from.word(at + 0x20, data)) {
            return false;
        }
        end = std::max({end, at + kPartitionHeaderBytes, (uint64_t{data} + total) * 4});
    }
    if (end > limit) {
        problem = "its partitions end at byte " + std::to_string(end) + ", the heap at " +
                  std::to_string(limit);
        return false;
    }
    out.resize(end);
    if (!memory.read(address, out.data(), out.size())) {
        problem = "the PDI is not in mapped memory";
        return false;
    }
    problem.clear();
    return true;
}

}  // namespace xdna::emu::firmware

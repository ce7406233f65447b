#include <algorithm>
#include <ostream>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/control_elf.hpp"
#include "libxdna/image/embedded_metadata.hpp"
#include "libxdna/image/overloaded.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/registers.hpp"
#include "libxdna/image/text.hpp"
#include "libxdna/image/topology.hpp"
#include "tools/xdna-image/commands.hpp"

namespace xdna::tools {
namespace {

using namespace image;

// Checks what reading alone does not: that the parts of a file agree with each other, and that
// writing gives back the same bytes. Reading is checked by doing it.
class Checker {
  public:
    explicit Checker(std::ostream& out) : out_(out) {}
    bool ok() const { return ok_; }

    void xclbin(ByteView bytes);
    void pdi(ByteView bytes, const std::string& where);
    void cdo(const Cdo& cdo, const std::string& where);
    void transaction(const Transaction& transaction, const std::string& where);
    void elf(ByteView bytes);
    void rewrite(ByteView bytes, const Bytes& again) {
        if (!std::equal(bytes.begin(), bytes.end(), again.begin(), again.end())) {
            problem("", "does not come back byte for byte when written again");
        }
    }

  private:
    void problem(const std::string& where, const std::string& what) {
        out_ << "problem: " << where << (where.empty() ? "" : ": ") << what << '\n';
        ok_ = false;
    }
    // Of things that may be as they should: a register of another array generation, say.
    void note(const std::string& where, const std::string& what) {
        out_ << "note: " << where << (where.empty() ? "" : ": ") << what << '\n';
    }
    // Says once which addresses are no registers that the table knows.
    void address(uint64_t address, const std::string& where) {
        if (address > UINT32_MAX) {
            note(where, "address " + hex(address) + " is outside the array");
            return;
        }
        const TileAddress at = TileAddress::decode(static_cast<uint32_t>(address));
        if (!find_register(at.kind(), at.offset)) {
            note(where, "no register of an AIE2 tile: " + address_text(address));
        }
    }
    void kernels(const Xclbin& xclbin, const AiePartition& partition);
    void connections(const Xclbin& xclbin, SectionKind topology, SectionKind connectivity,
                     size_t ips);

    std::ostream& out_;
    bool ok_ = true;
};

void Checker::cdo(const Cdo& cdo, const std::string& where) {
    for (size_t i = 0; i < cdo.commands.size(); ++i) {
        const std::string at = where + "command " + std::to_string(i);
        std::visit(Overloaded{
                       [&](const cdo::Write& c) { address(c.address, at); },
                       [&](const cdo::MaskWrite& c) { address(c.address, at); },
                       [&](const cdo::MaskPoll& c) { address(c.address, at); },
                       [&](const cdo::DmaWrite& c) { address(c.address, at); },
                       [&](const cdo::Fill& c) { address(c.address, at); },
                       [&](const cdo::Other& c) {
                           note(at, "opcode " + hex(c.opcode) + " is not understood");
                       },
                       [](const auto&) {},
                   },
                   cdo.commands[i].body);
    }
}

void Checker::pdi(ByteView bytes, const std::string& where) {
    const Pdi parsed = parse_pdi(bytes);
    rewrite(bytes, serialize(parsed));
    for (const Cdo* c : cdos(parsed)) {
        cdo(*c, where);
    }
    if (cdos(parsed).empty()) {
        problem(where, "no CDO: it configures nothing");
    }
}

void Checker::transaction(const Transaction& t, const std::string& where) {
    try {
        (void)patch_sites(t);
    } catch (const FormatError& e) {
        problem(where, e.what());
    }
    const auto check = [&](size_t i, uint64_t at) {
        const std::string which = where + "operation " + std::to_string(i);
        address(at, which);
        if (at <= UINT32_MAX &&
            TileAddress::decode(static_cast<uint32_t>(at)).column >= t.columns) {
            problem(which, address_text(at) + " is outside the header's " +
                               std::to_string(t.columns) + " columns");
        }
    };
    for (size_t i = 0; i < t.operations.size(); ++i) {
        std::visit(Overloaded{
                       [&](const txn::Write& b) { check(i, b.address); },
                       [&](const txn::BlockWrite& b) { check(i, b.address); },
                       [&](const txn::MaskWrite& b) { check(i, b.address); },
                       [&](const txn::MaskPoll& b) { check(i, b.address); },
                       [&](const txn::DdrPatch& b) { check(i, b.address); },
                       [](const auto&) {},
                   },
                   t.operations[i].body);
    }
}

void Checker::elf(ByteView bytes) {
    const ControlElf parsed = parse_control_elf(bytes);
    for (const ElfRelocation& r : parsed.relocations) {
        try {
            ControlElf copy = parsed;
            apply_relocation(copy, r, 0);
        } catch (const FormatError& e) {
            problem("", e.what());
        }
    }
    if (const ElfSection* text = parsed.section(".ctrltext")) {
        if (looks_like_transaction(text->data)) {
            transaction(parse_transaction(text->data), ".ctrltext ");
        }
    }
}

void Checker::kernels(const Xclbin& xclbin, const AiePartition& partition) {
    const XclbinSection* metadata = xclbin.section(SectionKind::kEmbeddedMetadata);
    const XclbinSection* layout = xclbin.section(SectionKind::kIpLayout);
    if (metadata == nullptr || layout == nullptr) {
        note("", "no EMBEDDED_METADATA or no IP_LAYOUT: XRT cannot find a kernel in it");
        return;
    }
    const IpLayout ips = parse_ip_layout(layout->data);
    for (const KernelMetadata& kernel : parse_embedded_metadata(metadata->data).kernels) {
        const uint32_t id = kernel.extended.value_or(KernelExtendedData{}).dpu_kernel_id;
        // AMD's own xclbins list a kernel of programmable logic ("vadd") beside the NPU's.
        if (kernel.type == KernelMetadata{}.type && partition.pdi_for(id) == nullptr) {
            problem("kernel " + kernel.name, "no PDI lists its kernel id " + hex(id));
        }
        for (const std::string& instance : kernel.instances) {
            const std::string name = kernel.name + ":" + instance;
            if (std::none_of(ips.ips.begin(), ips.ips.end(), [&](const Ip& ip) {
                    return ip.name.view() == std::string_view(name).substr(0, 63);
                })) {
                problem("kernel " + kernel.name, "IP_LAYOUT has no " + name);
            }
        }
    }
    connections(xclbin, SectionKind::kMemTopology, SectionKind::kConnectivity, ips.ips.size());
    connections(xclbin, SectionKind::kGroupTopology, SectionKind::kGroupConnectivity,
                ips.ips.size());
}

void Checker::connections(const Xclbin& xclbin, SectionKind topology, SectionKind connectivity,
                          size_t ips) {
    const XclbinSection* banks = xclbin.section(topology);
    const XclbinSection* section = xclbin.section(connectivity);
    if (section == nullptr) {
        return;
    }
    const std::string where(section_kind_name(connectivity));
    const size_t count = banks == nullptr ? 0 : parse_mem_topology(banks->data).banks.size();
    for (const Connection& c : parse_connectivity(section->data).connections) {
        if (c.ip >= ips) {
            problem(where, "IP index " + std::to_string(c.ip) + " of " + std::to_string(ips));
        }
        if (c.bank >= count) {
            problem(where, "bank index " + std::to_string(c.bank) + " of " + std::to_string(count));
        }
    }
}

void Checker::xclbin(ByteView bytes) {
    const Xclbin parsed = parse_xclbin(bytes);
    rewrite(bytes, serialize(parsed));
    const XclbinSection* section = parsed.section(SectionKind::kAiePartition);
    if (section == nullptr) {
        problem("", "no AIE_PARTITION section: nothing in it runs on an NPU");
        return;
    }
    const AiePartition partition = parse_aie_partition(section->data);
    if (partition.columns == 0) {
        problem("AIE_PARTITION", "a partition of no columns");
    }
    for (size_t i = 0; i < partition.pdis.size(); ++i) {
        const std::string where = "PDI " + std::to_string(i) + " ";
        try {
            pdi(partition.pdis[i].image, where);
        } catch (const FormatError& e) {
            problem(where, e.what());
        }
    }
    kernels(parsed, partition);
}

}  // namespace

bool verify(std::ostream& out, ByteView bytes, Kind kind) {
    Checker checker(out);
    switch (kind) {
        case Kind::kXclbin:
            checker.xclbin(bytes);
            break;
        case Kind::kPdi:
            checker.pdi(bytes, "");
            break;
        case Kind::kCdo: {
            const Cdo cdo = parse_cdo(bytes);
            checker.rewrite(bytes, serialize(cdo));
            checker.cdo(cdo, "");
            break;
        }
        case Kind::kTransaction: {
            const Transaction transaction = parse_transaction(bytes);
            checker.rewrite(bytes, serialize(transaction));
            checker.transaction(transaction, "");
            break;
        }
        case Kind::kDpuSequence:
            checker.rewrite(bytes, serialize(parse_dpu_sequence(bytes)));
            break;
        case Kind::kElf:
            checker.elf(bytes);
            break;
        case Kind::kErtPacket:
            (void)parse_ert_packet(bytes);
            break;
    }
    if (checker.ok()) {
        out << "ok: " << kind_name(kind) << ", " << bytes.size() << " bytes\n";
    }
    return checker.ok();
}

}  // namespace xdna::tools
